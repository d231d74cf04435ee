"""Configurations in which every pair of options that go together occurs.

A rule is a dict of options that do not go together, ``{name: values}``, and the message
that refuses them.
"""

import itertools
import random

IMPOSSIBLE = None
"""In the place of a message: there is nothing to write for these values."""


def matches(rule, configuration):
    """Say whether all that a rule names is chosen. What is open yet is not chosen."""
    return all(
        name in configuration and configuration[name] in values
        for name, values in rule.items()
    )


def is_allowed(configuration, rules):
    return not any(matches(rule, configuration) for rule, _ in rules)


def covering(dimensions, rules, seed=0):
    """Return configurations in which every allowed pair of values occurs.

    Each starts with a pair that is still missing. Then every other dimension gets the
    value that adds the most missing pairs. Pairs that need refused values are left out.
    """
    rng = random.Random(seed)
    open_pairs = {
        frozenset(((one, a), (other, b)))
        for one, other in itertools.combinations(dimensions, 2)
        for a in dimensions[one]
        for b in dimensions[other]
        if is_allowed({one: a, other: b}, rules)
    }
    found = []
    # Sets have no order that is the same in every process.
    queue = sorted(open_pairs, key=lambda pair: sorted(map(repr, pair)))
    rng.shuffle(queue)
    for pair in queue:
        if pair not in open_pairs:
            continue
        configuration = dict(pair)
        rest = [name for name in dimensions if name not in configuration]
        rng.shuffle(rest)
        for name in rest:
            values = list(dimensions[name])
            rng.shuffle(values)
            choices = [
                (new_pairs(configuration, name, value, open_pairs), value)
                for value in values
                if is_allowed({**configuration, name: value}, rules)
            ]
            if not choices:
                configuration = completed(dict(pair), dimensions, rules)
                break
            configuration[name] = max(choices, key=lambda choice: choice[0])[1]
        if configuration is not None:
            found.append({name: configuration[name] for name in dimensions})
            pairs = itertools.combinations(configuration.items(), 2)
            open_pairs -= set(map(frozenset, pairs))
    # Neighbours in this order share programs.
    return sorted(found, key=id_of)


def new_pairs(configuration, name, value, open_pairs):
    return sum(
        frozenset((item, (name, value))) in open_pairs for item in configuration.items()
    )


def id_of(configuration):
    return ", ".join(map(str, configuration.values()))


def completed(configuration, dimensions, rules):
    """Return a configuration with values for what is open, with which no rule matches.

    None if there is no such configuration.
    """
    if not is_allowed(configuration, rules):
        return None
    for name, values in dimensions.items():
        if name not in configuration:
            tried = (
                completed({**configuration, name: one}, dimensions, rules)
                for one in values
            )
            return next((found for found in tried if found is not None), None)
    return configuration
