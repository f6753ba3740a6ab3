"""The Luhn check digit of ISO/IEC 7812-1."""


def luhn_residue(digits: str) -> int:
    """Give the Luhn sum of ASCII digits, modulo 10; 0 where the check digit holds.

    Every second digit from the right counts twice, starting with the second, and the digits of what
    comes out are added up.

    Examples
    --------
    >>> luhn_residue("4111111111111111"), luhn_residue("4111111111111112")
    (0, 1)
    """
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(two // 10 + two % 10 for two in doubled)) % 10
