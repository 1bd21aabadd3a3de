"""Valid proofs in other words than the lab's own score 1: forms that the grammar and the rules read."""

import pytest

from lab import check
from lab.statements import read_statement
from lab.theorem import Proposition

FORMS = {
    "Prove that x^2 - 6x + 10 > 0 for all real x.": [
        "We have x^2 - 6x + 10 = (x - 3)^2 + 1 >= 1 > 0. QED",
        "LHS = (x - 3)^2 + 1 > 0, as required. The claim is true.",
        "$x^2 - 6x + 10 = (x-3)^2 + 1 \\ge 1 > 0$. The claim is true.",
        (
            "Note that \\(x^{2} - 6x + 10 = (x - 3)^{2} + 1\\). Since squares are nonnegative, \\((x-3)^2 + 1 "
            "> 0\\). Hence the claim is true."
        ),
        (
            "The discriminant is (-6)^2 - 4*10 = 36 - 40 = -4 < 0 and the leading coefficient is 1 > 0. So "
            "x^2 - 6x + 10 > 0. The claim is true."
        ),
        (
            "Completing the square, x^2 - 6x + 10 = (x - 3)^2 + 1. As (x - 3)^2 >= 0, we get (x - 3)^2 + 1 "
            ">= 1 > 0. This proves the claim."
        ),
    ],
    "Prove that x^2 + y^2 >= 2xy for all real x and y.": [
        "(x - y)^2 >= 0. So x^2 - 2xy + y^2 >= 0. Hence x^2 + y^2 >= 2xy. The claim is true.",
        "By AM-GM, x^2 + y^2 >= 2xy. The claim is true.",
        "x^2 + y^2 >= 2xy if and only if (x - y)^2 >= 0, which is true. The claim is true.",
        "x^2 + y^2 - 2xy = (x - y)^2 >= 0. The claim is true.",
        "0 <= (x - y)^2 = x^2 - 2xy + y^2, so 2xy <= x^2 + y^2. The claim is true.",
        "Since (x - y)^2 >= 0 we have x^2 + y^2 >= 2xy. QED",
    ],
    "Prove that x^2 + xy + y^2 >= 0 for all real x and y.": [
        "x^2 + xy + y^2 = (x + y/2)^2 + 3y^2/4 >= 0. The claim is true.",
    ],
    "Prove or refute: x^2 + 1 = (x + 1)^2 for all real x.": [
        (
            "For x = 0: x^2 + 1 = 1 and (x + 1)^2 = 1. The sides agree. For x = 1: x^2 + 1 = 2 but (x + "
            "1)^2 = 4. The claim is false."
        ),
        ("At x = 0 both sides are 1. At x = 1 the left side is 2 and the right side is 4. The claim is false."),
        "Let x = 1. Then x^2 + 1 = 2 but (x + 1)^2 = 4. So the claim is false.",
        "Take x = 1: LHS = 2, RHS = 4. The claim is false.",
        "The claim fails for x = 1: x^2 + 1 = 2 and (x + 1)^2 = 4.",
        "For x = 1 we get 1 + 1 = 2 on the left and (1 + 1)^2 = 4 on the right. The claim is false.",
        (
            "Take x = 1. The left side is 1^2 + 1 = 2. The right side is (1 + 1)^2 = 4. The two sides "
            "differ. The claim is false."
        ),
    ],
    "Prove or refute: the real solutions of x^2 - 5x + 6 = 0 are exactly x = 2 and x = 3.": [
        "x^2 - 5x + 6 = (x - 2)(x - 3) = 0 if and only if x = 2 or x = 3. The claim is true.",
        ("x^2 - 5x + 6 = 0 iff (x - 2)(x - 3) = 0 iff x - 2 = 0 or x - 3 = 0 iff x = 2 or x = 3. The claim is true."),
        "We have (x - 2)(x - 3) = 0, so x = 2 or x = 3. The claim is true.",
        (
            "The discriminant is 25 - 24 = 1. By the quadratic formula, x = (5 + 1)/2 = 3 or x = (5 - 1)/2 "
            "= 2. The claim is true."
        ),
        "Factoring, (x - 2)(x - 3) = 0. The solutions are x = 2 and x = 3. This proves the claim.",
        "By the quadratic formula x = (5 + 1)/2 or x = (5 - 1)/2. So x = 3 or x = 2. The claim is true.",
        "The left-hand side factors as (x - 2)(x - 3). So x = 2 or x = 3. The claim is true.",
        ("x^2 - 5x + 6 = 0. Then (x - 5/2)^2 = 1/4. So x - 5/2 = 1/2 or x - 5/2 = -1/2. Hence x = 3 or x = 2. QED."),
    ],
    "Prove or refute: the only real solution of 2x + 3 = 7 is x = 2.": [
        "We have 2x + 3 = 7, so 2x = 4, so x = 2. The claim is true.",
        "Subtract 3 from both sides: 2x = 4. Divide by 2: x = 2. The claim is true.",
        "$2x + 3 = 7 \\iff 2x = 4 \\iff x = 2$. The claim is true.",
        "Subtracting 3 gives 2x = 4. Dividing by 2 gives x = 2, as claimed. The claim is true.",
    ],
    "Prove or refute: the only real solution of x^2 - 6x + 9 = 0 is x = 3.": [
        "x^2 - 6x + 9 = (x - 3)^2 = 0, so x - 3 = 0, so x = 3. The claim is true.",
        "(x - 3)^2 = 0. Hence x = 3. The claim is true.",
        "(x - 3)(x - 3) = 0. So x = 3. The claim is true.",
    ],
    "Prove or refute: x^2 + 2x + 5 = 0 has no real solution.": [
        "x^2 + 2x + 5 = (x + 1)^2 + 4 >= 4 > 0. So there is no real solution. The claim is true.",
        "The discriminant is 2^2 - 4*5 = -16 < 0, so there are no real solutions. The claim is true.",
        (
            "(x + 1)^2 + 4 = 0. So (x + 1)^2 = -4. Squares are never negative, so there is no real "
            "solution. The claim is true."
        ),
    ],
    "Prove or refute: (x + 1)^2 - (x - 1)^2 = 4x for all real x.": [
        (
            "(x + 1)^2 = x^2 + 2x + 1 and (x - 1)^2 = x^2 - 2x + 1. Subtracting, (x + 1)^2 - (x - 1)^2 = "
            "4x. The claim is true."
        ),
    ],
    "Prove or refute: 2 divides n^2 + n for all integers n.": [
        (
            "If n = 2k then n^2 + n = 4k^2 + 2k = 0 mod 2. If n = 2k + 1 then n^2 + n = (2k + 1)^2 + 2k + 1 "
            "= 4k^2 + 4k + 1 + 2k + 1 = 4k^2 + 6k + 2 = 0 mod 2. The claim is true."
        ),
        "Case n = 0 mod 2: n^2 + n = 0 mod 2. Case n = 1 mod 2: n^2 + n = 2 = 0 mod 2. QED",
        (
            "If $n \\equiv 0 \\pmod{2}$ then $n^2 + n \\equiv 0 \\pmod{2}$. If $n \\equiv 1 \\pmod 2$ then $n^2 + "
            "n \\equiv 1 + 1 \\equiv 0 \\pmod 2$. The claim is true."
        ),
        (
            "n is even or odd. If n = 2k, then n^2 + n = 2(2k^2 + k) = 0 mod 2. If n = 2k + 1, then n^2 + n "
            "= n(n + 1) = (2k + 1)(2k + 2) = 2(2k + 1)(k + 1) = 0 mod 2. The claim is true."
        ),
    ],
    "Prove or refute: 6 divides n^3 - n for all integers n.": [
        (
            "Modulo 2: If n = 0 mod 2 then n^3 - n = 0 mod 2. If n = 1 mod 2 then n^3 - n = 0 mod 2. Modulo "
            "3: If n = 0 mod 3 then n^3 - n = 0 mod 3. If n = 1 mod 3 then n^3 - n = 0 mod 3. If n = 2 mod "
            "3 then n^3 - n = 8 - 2 = 6 = 0 mod 3. So the claim is true."
        ),
        (
            "If n = 0 mod 2 then n^3 - n = 0 mod 2. If n = 1 mod 2 then n^3 - n = 0 mod 2. If n = 0 mod 3 "
            "then n^3 - n = 0 mod 3. If n = 1 mod 3 then n^3 - n = 0 mod 3. If n = -1 mod 3 then n^3 - n = "
            "-1 + 1 = 0 mod 3. As 2 and 3 are coprime, the claim is true."
        ),
    ],
    "Prove or refute: 3 divides 4^n - 1 for all integers n >= 0.": [
        (
            "For n = 0: 4^n - 1 = 0 mod 3. Suppose 4^k - 1 = 0 mod 3. Then 4^(k + 1) - 1 = 4*4^k - 1 = "
            "4(4^k - 1) + 3 = 3 = 0 mod 3. The claim is true."
        ),
        (
            "For n = 0: 4^n - 1 = 0 mod 3. Suppose 4^(k - 1) - 1 = 0 mod 3. Then 4^k - 1 = 4*4^(k - 1) - 1 "
            "= 4(4^(k - 1) - 1) + 3 = 0 mod 3. The claim is true."
        ),
    ],
    "Let S(n) be the sum of i over i = 1, ..., n. Prove or refute: S(n) = n(n + 1)/2 for all n >= 1.": [
        (
            "For n = 1: S(1) = 1 and n(n + 1)/2 = 1. Assume S(k) = k(k + 1)/2. Then S(k + 1) = S(k) + k + 1 "
            "= k(k + 1)/2 + k + 1 = (k + 1)(k + 2)/2. The claim is true."
        ),
        (
            "Base case n = 1: S(1) = 1 = 1(1 + 1)/2. Suppose S(k - 1) = (k - 1)k/2. Then S(k) = S(k - 1) + "
            "k = (k - 1)k/2 + k = k(k + 1)/2. The claim is true."
        ),
        (
            "Induction on n. Base case: for n = 1 both sides are 1. Suppose S(n) = n(n + 1)/2. Then S(n + "
            "1) = S(n) + n + 1 = n(n + 1)/2 + n + 1 = (n + 1)(n + 2)/2. QED"
        ),
        (
            "For n = 1 we have S(1) = 1 and 1*2/2 = 1. Suppose the claim holds for some k, that is, S(k) = "
            "k(k + 1)/2. Then S(k + 1) = S(k) + (k + 1) = k(k + 1)/2 + (k + 1) = (k + 1)(k + 2)/2. This "
            "completes the induction."
        ),
        (
            "Proof by induction. For n = 1: S(1) = 1 and n(n + 1)/2 = 1. Now assume that the claim is true "
            "for n = k. Then S(k + 1) = S(k) + k + 1 = k(k + 1)/2 + k + 1 = (k^2 + 3k + 2)/2 = (k + 1)(k + "
            "2)/2, so the claim holds for n = k + 1. The claim is true."
        ),
        (
            "Base case: n = 1. S(1) = 1 and n(n + 1)/2 = 1. Inductive step: assume S(k) = k(k + 1)/2. Then "
            "S(k + 1) = k(k + 1)/2 + k + 1 = (k + 1)(k + 2)/2. Hence the formula holds for k + 1. By "
            "induction, the claim is true."
        ),
    ],
    "Prove or refute: (x - 1)(x + 2) = x^2 + x + 2 for all real x.": [
        (
            "Counterexample: x = 0. The left-hand side is (0 - 1)(0 + 2) = -2 and the right-hand side is 2. Since -2 "
            "is not equal to 2, the claim is false."
        ),
        "At x = 0, however, (x - 1)(x + 2) = -2 and x^2 + x + 2 = 2. These are different, so the claim is false.",
    ],
    "Prove or refute: x^2 + 7x + 12 = (x + 3)(x + 4) for all real x.": [
        (
            "Multiplying out the right-hand side, (x + 3)(x + 4) = x^2 + 4x + 3x + 12 = x^2 + 7x + 12, which is the "
            "left-hand side. The claim is true."
        ),
        (
            "Let x be an arbitrary real number. Then (x + 3)(x + 4) = x^2 + 4x + 3x + 12 = x^2 + 7x + 12. Since x was "
            "arbitrary, the claim holds for all real x."
        ),
    ],
    "Prove or refute: x^2 >= x for all real x.": [
        (
            "For x = 0 and x = 1 both sides are equal, and for x = 2 we have 4 >= 2. But for x = 1/2 we get 1/4 < 1/2. "
            "The claim is false."
        ),
    ],
    "Prove or refute: x^2 - 2x >= 0 for all real x.": [
        "For x = 1 the left side is 1 - 2 = -1, which is less than 0. So the claim is false.",
        "Take x = 1: 1 - 2 = -1 < 0. The claim is false.",
    ],
    "Prove that x^2 + 5 > 4x for all real x.": [
        "It suffices to show x^2 - 4x + 5 > 0. Now x^2 - 4x + 5 = (x - 2)^2 + 1 > 0. The claim is true.",
        "We must show x^2 - 4x + 5 > 0. Since (x - 2)^2 is nonnegative, x^2 - 4x + 5 = (x - 2)^2 + 1 > 0. QED.",
    ],
    "Prove that x^2 + 12x + 40 > 3 for all real x.": [
        (
            "Note that x^2 + 12x + 40 = (x + 6)^2 + 4. As a square is never negative, this is at least 4, hence "
            "greater than 3. The claim is true."
        ),
        "x^2 + 12x + 40 = (x + 6)^2 + 4. Since squares are nonnegative, x^2 + 12x + 40 > 3. The claim is true.",
    ],
    "Prove or refute: the real solutions of 2x^2 - 3x + 1 = 0 are exactly x = 1 and x = 1/2.": [
        (
            "2x^2 - 3x + 1 = (2x - 1)(x - 1) = 0. Either 2x - 1 = 0, which gives x = 1/2, or x - 1 = 0, which gives x "
            "= 1. The claim is true."
        ),
        "(2x - 1)(x - 1) = 0. Therefore the solutions are exactly x = 1 and x = 1/2, as claimed.",
        "(2x - 1)(x - 1) = 0. This vanishes if and only if x = 1 or x = 1/2. The claim is true.",
    ],
    "Prove that x^2 + x + 1 > 0 for all real x.": [
        (
            "The discriminant of x^2 + x + 1 is 1 - 4 = -3 < 0 and the leading coefficient is positive. Hence x^2 + x "
            "+ 1 > 0 for all real x. The claim is true."
        ),
    ],
    "Prove or refute: the only real solution of 4x = 20 is x = 5.": [
        "If 4x = 20 then x = 5; conversely, 4*5 = 20. The claim is true.",
    ],
    "Prove or refute: the only real solution of 3x - 1 = x + 5 is x = 3.": [
        "3x - 1 = x + 5 is equivalent to 2x = 6, which is equivalent to x = 3. The claim is true.",
        "3x - 1 = x + 5 becomes 2x = 6. This gives x = 3. The claim is true.",
    ],
    "Prove or refute: the real solutions of x^2 - 3x = 0 are exactly x = 3 and x = 1.": [
        "x = 1 is not a solution, since 1 - 3 = -2 is not 0. The claim is false.",
        "x(x - 3) = 0, so x = 0 or x = 3. Since x = 0 is also a solution, the claim is false.",
    ],
    "Prove or refute: n^2 + 1 is never divisible by 3, for all integers n.": [
        (
            "If n = 0 mod 3 then n^2 + 1 = 1 mod 3. If n = 1 mod 3 or n = 2 mod 3 then n^2 + 1 = 2 mod 3. So n^2 + 1 "
            "is never 0 mod 3 and the claim is true."
        ),
    ],
    "Prove or refute: 2 divides n^2 + 3n for all integers n.": [
        "If n is even, then n^2 + 3n = 0 mod 2. If n is odd, then n^2 + 3n = 1 + 3 = 0 mod 2. The claim is true.",
    ],
    "Let S(n) be the sum of 2i over i = 1, ..., n. Prove or refute: S(n) = n(n + 1) for all n >= 1.": [
        (
            "S(1) = 2 and S(2) = 6, so the formula holds for n = 1 and n = 2. Suppose S(k) = k(k + 1). Then S(k + 1) = "
            "k(k + 1) + 2(k + 1) = (k + 1)(k + 2). So the claim holds for n = k + 1, and by induction it is true."
        ),
        (
            "The claim holds for n = 1, since S(1) = 2 and 1*2 = 2. We assume S(k) = k(k + 1). We must show that S(k + "
            "1) = (k + 1)(k + 2). But S(k + 1) = k(k + 1) + 2(k + 1) = (k + 1)(k + 2). We are done."
        ),
    ],
    "Let S(n) be the sum of i over i = 1, ..., n. Prove or refute: S(n) = n^2/2 for all n >= 1.": [
        "S(1) = 1, but 1/2 = 0.5 for n = 1. The claim is false.",
        "S(1) = 1, whereas the formula gives 1/2 at n = 1. The claim is false.",
    ],
}

MISSTATED = {
    "Prove that x^2 + x + 1 > 0 for all real x.": [
        "The discriminant of x^2 + x + 2 is 1 - 4 = -3 < 0. Hence x^2 + x + 1 > 0. The claim is true.",
        "The discriminant of x^2 + x + 1 is -1 - 2 = -3 < 0, and x is positive. So x^2 + x + 1 > 0. The claim is true.",
        "The leading coefficient is positive. Hence x^2 + x + 1 > 0. The claim is true.",
    ],
    "Prove that -x^2 - 1 < 0 for all real x.": [
        "The leading coefficient is negative. -x^2 - 1 < 0. The claim is true.",
    ],
    "Prove or refute: the only real solution of 4x = 20 is x = 5.": [
        "If 4x = 24 then x = 6. The claim is true.",
        "If 3x = 20 then x = 5. The claim is true.",
    ],
    "Prove that x^2 + 5 > 4x for all real x.": [
        "It suffices to show 1 = 1. Now x^2 - 4x + 5 = (x - 2)^2 + 1 > 0. The claim is true.",
        "It suffices to show x^2 > 0. Now x^2 - 4x + 5 = (x - 2)^2 + 1 > 0. The claim is true.",
        "It suffices to show x^2 - 4x + 5 > 0. The claim is true.",
        "x^2 - 4x + 5 = (x - 2)^2 + 1 > 0, and x is positive. The claim is true.",
        "For x = 0: 5 > 0. This is true for all real x. x^2 - 4x + 5 = (x - 2)^2 + 1 > 0. The claim is true.",
        "x^2 - 4x + 5 = (x - 2)^2 + 1 > 0, which is the left-hand side. The claim is true.",
    ],
    "Prove or refute: x^2 >= x for all real x.": [
        "For x = 2 both sides are equal. For x = 1/2 we get 1/4 < 1/2. The claim is false.",
        "For x = 1/2 we get 1/4 > 1/2. The claim is false.",
        "For x = 1/2 we get 1/8 < 1/2. The claim is false.",
        "x = 0 and 1/4 < 1/2 for x = 1/2. The claim is false.",
    ],
    "Prove or refute: the real solutions of x^2 - 3x = 0 are exactly x = 3 and x = 1.": [
        "x = 1 is a solution, since 1 - 3 = -2 is not 0. The claim is false.",
        "x = 3 is not a solution. The claim is false.",
        "x = 1 is not a solution. The claim is false.",
    ],
    "Prove or refute: 2 divides n^2 + 3n for all integers n.": [
        "If n is even, then n^2 + 3n = 0 mod 2. If n is even, then n^2 + 3n = 0 mod 2. The claim is true.",
        "n is even. n^2 + 3n = 0 mod 2. The claim is true.",
        "If n = 0 mod 2 or n = 0 mod 2 then n^2 + 3n = 0 mod 2. The claim is true.",
    ],
    "Let S(n) be the sum of 2i over i = 1, ..., n. Prove or refute: S(n) = n(n + 1) for all n >= 1.": [
        "By induction, S(n) = n(n + 1) for all n >= 1.",
        "The claim holds for n = 1, and it is true.",
        "The claim holds for n = 1 and n = 2. The claim is true.",
        "S(1) = 2, so the claim holds for n = 1. Suppose S(k) = k(k + 1). Then S(k + 1) = k(k + 1) + 3(k + 1). QED",
    ],
}


@pytest.mark.parametrize("statement", FORMS)
def test_the_forms_are_read(statement: str) -> None:
    proposition = read_statement(statement)
    assert isinstance(proposition, Proposition)
    for proof in FORMS[statement]:
        assert check(proposition, proof).defects == (), proof
        contrary = "false" if proposition.truth else "true"
        assert check(proposition, f"{proof} The claim is {contrary}.").score == 0, proof


@pytest.mark.parametrize("statement", MISSTATED)
def test_what_is_misstated_in_these_forms_scores_0(statement: str) -> None:
    proposition = read_statement(statement)
    assert isinstance(proposition, Proposition)
    for proof in MISSTATED[statement]:
        assert check(proposition, proof).score == 0, proof
