"""The message that every peer sends: a real one of heatcast's, with a new number for each one."""

import itertools

PLACE = '"seq":'
DIGITS = 6


def messages(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    at = text.index(PLACE) + len(PLACE)
    before, after = text[:at], text[at + DIGITS :]
    for number in itertools.count(1):
        yield f"{before}{number % 10**DIGITS:0{DIGITS}}{after}"
