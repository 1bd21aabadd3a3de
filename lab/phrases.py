"""Phrases that say nothing of their own, and the wordings of verdicts: the fixed lists of the grammar of proofs.

Each pattern is over words with ``$`` for an expression that stands alone. A phrase announces, links or gives a reason
that is true of every proof; none negates, bounds or asserts anything about the claim. The grammar (``lab.moves``)
accounts for every word, so a word that is in no list makes a sentence one that is not understood.
"""

import re

_ONE_SIDE = r"(?:(?:the )?(?:left|right|left hand|right hand|other) side|(?:the )?[lr]hs)"
_SIDE = rf"(?:{_ONE_SIDE}|(?:both|the|the two|these) sides)"
_OF = r"(?: of (?:the |this |our )?(?:equation|claim|identity|inequality|congruence|statement|formula))?"
_NOUN = (
    r"(?:the |this |these |our |its |their |a |all |all the |all )?"
    r"(?:(?!(?:next|last) (?:term|summand))(?:first|second|last|next|new|resulting|inner|outer|remaining|other|"
    r"whole|full|corresponding|two|quadratic) )*"
    r"(?:like terms?|middle terms?|terms?|"
    r"products?|squares?|brackets?|"
    r"parentheses|"
    r"factors?|equations?|inequality|inequalities|expressions?|sums?|differences?|values?|results?|powers?|numbers?|"
    r"constants?|coefficients?|formulas?|definition|recursion|recurrence|recurrence relation|rule|hypothesis|"
    r"induction hypothesis|"
    r"inductive hypothesis|summands?|summation|polynomials?|quadratic|common factor|calculation|cases?|residues?|"
    r"remainders?|claim for the next index|next index|next case|quadratic formula|discriminant|variables?|"
    r"leading coefficient|constant term|(?:next|last) (?:term|summand)(?: \$)?)"
)
_THING = (
    rf"(?:{_NOUN}(?: on {_SIDE}|{_OF})|(?:{_SIDE}){_OF}|(?:both|the two) (?:squares|products|brackets|terms)|"
    r"everything|it|this|that|these|them|out|each|each of them|\$)"
)
_VERBS = (
    r"expand|simplify|collect|factor|factorize|factorise|multiply|compute|calculate|evaluate|rewrite|write|rearrange|"
    r"substitute|insert|combine|gather|group|(?<!is )complete|divide|subtract|add|move|bring|use|apply|work|reduce|"
    r"split|check|"
    r"verify|compare|start|begin|solve|look at|open|clear|sum up|sum|cancel|distribute|regroup"
)
_ING = (
    r"expanding|simplifying|collecting|factoring|factorizing|factorising|multiplying|computing|calculating|"
    r"evaluating|"
    r"rewriting|writing|rearranging|substituting|inserting|combining|gathering|grouping|completing|dividing|"
    r"subtracting|"
    r"adding|moving|bringing|using|applying|working|reducing|splitting|checking|verifying|comparing|starting|"
    r"beginning|"
    r"solving|putting|opening|clearing|summing up|summing|canceling|cancelling|taking|distributing|regrouping"
)
_TAIL = (
    r"(?: out| together| in| up| again| further| step by step| term by term| one by one| directly| each|"
    r" separately| back)?"
    rf"(?: {_THING})?(?: and {_THING})?(?: out| together| in| again| separately| each)?"
    rf"(?: (?:on|of|in|to|into|from|with|by|for|over|as) (?:{_THING}|one side|"
    rf"the other side|the (?:left|right)(?! (?:hand )?side)|"
    rf"zero on the right|"
    rf"squares|"
    r"a square|a product|the definition|hand|\$))?(?: from (?:both sides|it))?"
)
_ACTION = rf"(?:{_VERBS}){_TAIL}(?: and (?:{_VERBS}){_TAIL})?"
_DOING = rf"(?:by |on |upon |after )?(?:{_ING}){_TAIL}(?: and (?:{_ING}){_TAIL})?"
_GIVES = (
    r"(?: (?:then |now |also |thus |therefore |hence |just )?(?:(?:is|are)(?= (?:[#@$:,]|equal to|that is))|"
    r"(?:is |are )?equal to|"
    r"(?:equals?|gives?|yields?|becomes?|leads? to|simplif(?:y|ies) to|reduces? to|factors? as|expands? to|"
    r"leaves?|comes? to|"
    r"works out (?:as|to))(?: that| us)?|(?:shows?|means?|implies|proves?|gives?|yields?) that|follows from))"
)
_HAVE = (
    r"(?:now |then |also |thus |so |hence |therefore |again )?(?:have|get|obtain|find|see|note|observe|compute|"
    r"know|deduce|"
    r"conclude|infer|write|may write|can write|arrive at|reach|claim again|recall)(?: that| for)?"
)

PHRASES = tuple(
    re.compile(rf"(?:{pattern})(?= |$)")
    for pattern in (
        r"note that|observe that|recall that|it follows that|this means that|which means that|and then|"
        r"and therefore|and so|"
        r"and hence|and thus|to start with|in particular|in other words|but then|as well|and also",
        r"that is(?= [#@,:])|so|then|hence|thus|"
        r"therefore|now|next|here|also|again|first|firstly|second|secondly|third|thirdly|"
        r"finally|lastly|"
        r"moreover|further|furthermore|consequently|accordingly|note|observe|clearly|indeed|in fact|since|"
        r"because|(?:(?<!written )as|from)(?= [#@])|"
        r"i e|namely|for instance|for example|likewise|similarly|too|as well|in turn|in particular|in other words|"
        r"but then|and so|and hence|and thus|"
        r"and then|and therefore|giving|however|conversely|we are given(?: that)?|"
        r"respectively|explicitly|note that|observe that|recall that|it follows that|"
        r"this means that|which means that|to begin|to start|to start with|on the one hand|on the other hand|"
        r"after that|"
        r"for this|whence|altogether|together|overall|in total|and also|as follows|(?<!the )(?<!our )proof(?= [:,]|$|"
        r" by (?:mathematical )?induction)|"
        r"solution(?= :)|step(?! is)|(?:the )?base case$",
        r"(?:the )?(?:induction|inductive) step(?: is(?! (?:complete|done|finished)))?(?! is (?:complete|done|"
        r"finished))|"
        r"(?:for )?the (?:induction|inductive) step(?! is)|"
        r"(?:the )?(?:induction )?basis",
        r"(?:this|the) (?:product |expression |equation )?(?:is zero|is 0|vanishes|holds) (?:exactly |"
        r"precisely )?(?:when|if(?: and only if)?)|"
        r"(?:the |this )?equation (?:is equivalent to|can be (?:written|rewritten)(?: as)?|becomes|reads)|"
        r"(?:and )?this is (?:always |clearly )?true|taking (?:square )?roots(?: gives)?|factoring out \$",
        r"the terms? \$ cancels?|the discriminant of \$ (?:is|equals)(?= #)",
        r"let \$ be (?:a|an|any) (?:arbitrary |fixed )?(?:real number|real|integer|natural number|number)|"
        r"since \$ (?:was|is) arbitrary|by squaring|this follows|(?<!\w )follows",
        rf"we{_HAVE.join((' ', ''))}|one {_HAVE}|where we have",
        rf"(?:this|it|which|that|these|and this|and that|so this|so that){_GIVES}",
        rf"{_ONE_SIDE}{_OF}{_GIVES}?|{_SIDE}{_OF}{_GIVES}",
        r"(?!(?:the |this )?(?:inequality|congruence) (?:is equivalent|becomes|reads))"
        rf"{_NOUN}(?: on {_SIDE}|{_OF}){_GIVES}",
        rf"(?:(?:now |then |next |first )?(?:we|let us|we now|we next|we first|we then|we can|we may|"
        rf"we will) )?{_ACTION}",
        rf"{_DOING}(?:{_GIVES}| we {_HAVE}| , we {_HAVE})?",
        r"(?:since|as|because|but|and|that|for)? ?(?:all |a |any |the |real |these |"
        r"both )*squares? (?:of (?:a )?real numbers? )?"
        r"(?:is|are) (?:always )?(?:nonnegative|non negative|never negative|not negative|at least zero)|"
        r"(?:since|as|because|but|and)? ?(?:a square|squares|real squares) (?:of (?:a )?real numbers? )?can(?:not| "
        r"never) be negative|"
        r"(?:being|as) a (?:perfect )?square|a sum of squares is (?:nonnegative|never negative)",
        r"by (?:the |our )?(?:induction |inductive )?(?:hypothesis|assumption)|by what (?:is|was) (?:assumed|"
        r"supposed|shown)",
        r"by (?:the )?(?:definition|recurrence|recurrence relation|recursion|rule|definition of the sum|"
        r"definition of the sequence|quadratic formula|square root|distributive law)",
        r"(?:by |a |an |by a |by an )?(?:direct |easy |short |simple |straightforward )?(?:calculation|"
        r"computation|expansion|"
        rf"substitution|factorization){_GIVES}?",
        r"(?:we (?:argue|proceed|prove (?:this|it|the claim)|show (?:this|it|the claim)) |"
        r"we use )?(?:by )?(?:mathematical )?"
        r"(?<![a-z] )induction(?! (?:hypothesis|step))(?: on \$)?|(?:(?:we )?(?:use|proceed by|argue by)|by|"
        r"proof by) (?:mathematical )?induction(?: on \$)?|this follows by induction",
        r"by (?:the )?(?:difference of (?:two )?squares|square of a (?:sum|difference)|binomial formula|am gm|"
        r"am gm inequality|"
        r"distributivity|commutativity|arithmetic)|(?:working )?modulo \$|on the (?:left|right)(?: hand)?(?: side)?",
        r"(?:as|since|because) \$ and \$ are (?:coprime|relatively prime)|(?:\$|every integer|each integer|"
        r"any integer) is "
        r"(?:either )?even or odd|this is (?:exactly |just |also )?the (?:right|left|other)(?: hand)? side|"
        r"(?:this is |which is |that is )?(?:exactly )?(?:the )?(?:claimed (?:formula|value|result)|"
        r"desired (?:formula|value|result))",
        r"(?:so |then |hence |thus |now )?(?:(?:at least )?one (?:of the )?factors? must be (?:zero|0)|"
        r"one of the factors is zero|"
        r"one factor is zero|a product is zero only if (?:a|one) factor is(?: zero)?)",
        r"the (?:only )?(?:cases|residues|possibilities) (?:are|modulo \$ are)|there are several cases",
        r"in (?:both|all|each|either|every|any)(?: (?:of )?(?:these|the|this))? cases?|(?:hence |so |thus )?\$ does",
        r"(?:at least )?one of them is (?:even|divisible by \$)(?: and (?:at least )?one(?: of them)? is "
        r"(?:even|divisible by \$))?|being a sum of (?:two )?squares(?: and a positive number)?",
        r"a product (?:vanishes|is zero|is 0) (?:only if|if and only if|exactly (?:when|if)|iff) "
        r"(?:at least )?(?:one|a)(?: of (?:its|the))? factors? (?:does|is(?: zero| 0)?|vanishes)",
        r"(?:the )?(?:middle |other |mixed |last )?terms cancel(?: out)?|"
        r"which is the (?:formula|claim|statement) (?:for|at) \$",
        r"we (?:prove|show|verify) (?:this|it|the (?:claim|statement|formula|identity|inequality))",
        r"let us (?:see|start|begin|compute|continue)|we (?:want|have|need) to (?:show|prove|check)(?: that|"
        r" this)?(?= [:,]|$)",
        r"(?:we )?distinguish(?: the| several)? cases|we go through (?:the|all) (?:cases|residues)|by cases",
        r"to (?:disprove|refute) (?:it|the claim) (?:it is enough|it suffices|we need only|we only need) to (?:find|"
        r"give) (?:one|a|a single)"
        r"(?: real)? (?:value|number|counterexample|point)(?: of \$)?(?: (?:for|at) which (?:the two sides differ|"
        r"it fails))?|"
        r"there are (?:two|three|four|five|six|seven) (?:cases|possibilities|residues) modulo \$|(?:it|this|which) "
        r"is never \$|"
        r"(?:the left(?: hand)? side|it|this) is a perfect square(?= : #)",
        r"this(?= #)|(?:both|all) terms(?= #)|in terms of \$|we (?:show|prove|check|verify) divisibility by \$|"
        r"(?:the|a) square of (?:any|a|every|each) real number is (?:nonnegative|never negative|at least zero)",
        r"all steps are reversible|the coefficient of \$ is(?= #)|the remainder is never \$|it is enough to see "
        r"divisibility by \$ and \$|"
        r"(?:every|each|any) integer is congruent to \$(?: , \$)* or \$(?: modulo \$)?",
        r"by am gm for \$ and \$|distinguish \w+ cases by \$ modulo \$|since \$ and \$ are consecutive|there are "
        r"(?:two|both) base cases|"
        r"the initial value is(?= #)|a square vanishes if and only if its base vanishes|the same (?:value|number|"
        r"expression|result)|"
        r"each of the (?:two |three |four )?(?:summands|terms|squares) is nonnegative",
        r"which (?:is (?:always |clearly |obviously )?true|(?:always )?holds)",
        r"(?:this|which) is (?:what we want|what we need)(?= [,:]|$)",
    )
)
ANY_PHRASE = re.compile("|".join(f"(?:{phrase.pattern})" for phrase in PHRASES))
CLAIM = (
    r"(?:the |this |our )?(?:given |stated )?(?:claim|statement|assertion|proposition|identity|inequality|"
    r"equation|formula|"
    r"divisibility|congruence)"
)
_RIGHT = r"(?:true|proved|proven|correct|right|shown|established|verified|valid|confirmed|settled)"
IS_TRUE = (
    rf"{CLAIM} (?:is (?:indeed |therefore |thus |hence |also |now )?{_RIGHT}|holds|follows)|"
    rf"(?:this|which|that|and this) (?:proves|shows|establishes|verifies|confirms) {CLAIM}|"
    rf"(?:proves|proved|proven|shown|established) {CLAIM}"
)
IS_FALSE = (
    rf"(?:{CLAIM}|this) (?:is (?:indeed |therefore |thus |hence |also |now )?(?:false|wrong|incorrect|refuted|"
    rf"disproved|untrue|not true|"
    rf"not correct)|fails|does not hold)|(?:this|which|that|and this) (?:refutes|disproves|contradicts) {CLAIM}|"
    rf"(?:refutes|disproves|contradicts) {CLAIM}"
)
AGREES = (
    r"(?:both|the|the two|these)(?: two)? (?:sides|values|numbers) (?:are equal|are the same|agree|coincide|match)|"
    r"these (?:are equal|are the same|agree|coincide)|they (?:are equal|agree|coincide)"
)
DIFFERS = (
    r"(?:(?:both|the|the two|these)(?: two)? (?:sides|values|numbers)|these|they) (?:differ|are different|"
    r"are not equal|"
    r"are not the same|disagree|do not agree|are unequal|do not match)"
)
DONE = (
    r"(?:qed|q e d|as (?:required|claimed|desired|wanted|needed|stated|asserted|(?:was|is) to be (?:shown|proved|"
    r"proven))|"
    r"(?:which|this) (?:was|is) (?:what (?:was to be (?:shown|proved|proven)|we (?:wanted|had) to (?:show|prove))|"
    r"to be (?:shown|proved|proven|demonstrated))|"
    r"(?:(?:this|which|and this) )?(?:completes|finishes|ends|concludes) (?:the|our) (?:proof|induction|argument)|"
    r"(?:the|our) (?:proof|induction|step|induction step|inductive step) is (?:complete|done|finished)|done|"
    r"we are done)"
)
NO_SOLUTION = (
    r"(?:there (?:is|are)|(?:it|the equation|this equation|this) has) no (?:real )?(?:solutions?|roots?|zeros?)|"
    r"no (?:real )?(?:solutions?|roots?|zeros?)(?: exists?)?"
)
CITATION = (
    r"(?:~ (?:, )?)*(?:(?:as |it is |this is |as is |is )?(?:a )?(?:well )?known(?: fact| identity|"
    r" result)?(?: ~| that)?|"
    r"by (?:a|an|the|some) (?:well known |known |standard |classical )?(?:theorem|identity|lemma|inequality|"
    r"formula|result|fact)"
    r"(?: (?:in|from|of) (?:the|a|our) (?:books?|literature|tables?))?|"
    r"by (?:the )?(?:fermat|euler|binomial|vieta|cauchy|cauchy schwarz|wilson|bernoulli|gauss|lagrange|pascal|"
    r"faulhaber)"
    r"(?: s)?(?: little)?(?: theorem| inequality| identity| formulas?| lemma)?)"
)
GOAL = r"(?:it suffices|it is enough|it remains|we must|we want|we need|we have|we are)(?: to)? (?:show|prove|check)"
EQUIVALENT = (
    r"(?:the |this |our )?(?:given |stated )?(?:claim|statement|assertion|identity|inequality|congruence) "
    r"(?:(?:is equivalent to|means(?: that)?|says(?: that)?|reads|becomes|can be (?:written|rewritten) as)(?: ~)?)"
)
COMMENT = r"~(?: [,:~])*"
ALL = (
    r"for (?:all|every|each|any)(?: (?:real|integers?|whole|positive|natural|numbers?|values? of))*"
    r" (?:\$(?:(?: and| ,| , and) \$)*|%)"
)
