"""What training minimises. Each kind of term is a module of its own."""

from ._objective import DataSummary, Draw, ForwardPass, Objective, Term
