"""A table of votes: what its columns are, and the votes in it. The columns may be image, annotator and label
in lines, counts of classes, annotators side by side, or shares.

Nothing is guessed in silence. A table whose header says ``image``, ``annotator`` and ``label`` is read; of
any other the likeliest meaning becomes a question, whose remedy is the command that confirms it.
"""

import difflib
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from softlabels.datasets.collection import is_image, listed, normal, quoted
from softlabels.datasets.containers import MAX_COUNT, VOTE, Options, Reading, Table, votes_of

if TYPE_CHECKING:
    import pandas as pd

# Names that other programs give the columns, without spaces, case and punctuation; the likeliest first.
SYNONYMS = {
    "image": (
        "image img images imagefile imagename imagepath imageurl imageid imgid imgname imgpath"
        " filename filepath file files filenames path url uri inputimage inputimageurl picture"
        " photo photoid subjectid subjectids subject sampleid sample exampleid example itemid item"
        " taskid task instanceid instance caseid case objectid object origid document slide"
        " questionid question stimulus id"
    ),
    "annotator": (
        "annotator annotatorid annotatorname worker workerid rater raterid reader readerid coder"
        " coderid labeler labeller labelerid username userid user expert judge judgeid reviewer"
        " completedby assignee performer performerid amtworkerids amtworkerid crowdworker"
        " participant participantid person personid respondent email author doctor radiologist"
        " pathologist observer student who"
    ),
    "label": (
        "label answer class classlabel category choice labels answers categories choices"
        " annotation vote response responses judgement judgment diagnosis decision verdict rating"
        " tag tags classification outputlabel outputresult output result selected chosen value"
        " target"
    ),
    "count": "count counts n votes nvotes numvotes frequency freq number",
}
# Names of columns that are seldom classes beside counts of classes.
SUMS = (
    "total sum n count counts nvotes numvotes votes numannotators nannotators annotators"
    " raters nraters index idx id unnamed unnamed0 rownames row number majority majoritylabel"
    " final consensus gold truth groundtruth argmax mode agreement entropy label target winner"
    " usage split"
)
PEOPLE = re.compile(
    r"(annotator|rater|reader|worker|coder|expert|labell?er|user|person|judge|reviewer|participant|doctor"
    r"|radiologist|pathologist|observer|student|turker|volunteer|annot|ann|anno|r|a|w)[ _.\-#]*(\d+|[a-z])",
    re.IGNORECASE,
)
BALLOTS = re.compile(
    r"(label|labels|vote|answer|class|choice|rating|annotation|response|judge?ment|diagnosis)[ _.\-#]*\d+",
    re.IGNORECASE,
)
COMMA = re.compile(r"^(0?|1(?=,0+$)),([0-9]+)$", re.ASCII)  # of a decimal number that is no more than one
MOST = 0.9  # of the rows, for a property that a column may miss in some
FEW = 30  # rows of which nine in ten can have a property by chance
WITHIN = 0.005  # of one, for shares that were rounded to two digits
FORMS = {
    "long": "a line for each vote",
    "counts": "a line for each image with counts of classes",
    "annotators": "a line for each image with a column for each annotator",
    "labels": "a line for each image with its votes side by side",
}
COLUMNS = {"counts": "count of a class", "annotators": "an annotator", "labels": "a vote of an image"}


@dataclass
class Plan:
    """The role of each column, what was seen, and what is asked of the user before it counts."""

    form: str  # one of `FORMS`
    image: str
    annotator: str = ""
    label: str = ""
    count: str = ""
    columns: Sequence[str] = ()  # of counts, annotators or labels
    question: str = ""

    def single(self) -> list[tuple[str, str]]:
        """Columns that have a role alone, and it."""
        roles = {"image": self.image, "annotator": self.annotator, "label": self.label, "count": self.count}
        return [(name, role) for role, name in roles.items() if name]

    def ignored(self, header: Sequence[str]) -> list[str]:
        """Columns that are not read."""
        used = {name for name, _ in self.single()} | {*self.columns}
        return [name for name in header if name not in used]

    def option(self) -> str:
        """The option of the command line that says the same."""
        words = [f"{role}={name}" for name, role in self.single()]
        words += [] if self.form == "long" else [f"{self.form}={'|'.join(self.columns)}"]
        return f"--columns {shlex.quote(','.join(words))}"

    def taken(self, header: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Column and what it is taken for, in words."""
        found = [*self.single(), *((name, COLUMNS[self.form]) for name in self.columns)]
        return (*found, *((name, "not read") for name in self.ignored(header)))


class NoPlan(Exception):
    """A header that says nothing: what was found, and the remedy."""


def read_table(table: Table, options: Options) -> Reading:
    """Read votes from a table; what the header leaves open becomes a question."""
    reading = Reading(table.kind, votes_of(), problems=table.problems)
    twice = sorted({name for name in table.header if table.header.count(name) > 1})
    for name in twice:  # whose cells cannot be told apart
        what = f"column {quoted(name)} occurs twice" if name else "more than one column without a name"
        table.problem("column twice", what, "rename or remove one", 1)
    if twice or not table.header:
        return reading
    try:
        plan = planned(table, options)
    except NoPlan as none:
        found, remedy = none.args
        table.problem("columns not understood", found, remedy, 1)
        return reading
    if plan.question:
        header = "" if options.header else " --no-header"
        fractions = f" --fractions {options.fractions}" if options.fractions else ""
        # The folder is put in place of {} where it is known.
        remedy = f"if so: softlabels convert {{}} {plan.option()}{header}{fractions}"
        table.problem("question about columns", plan.question, remedy, 1)
    if plan.form == "long":
        reading.votes = _votes_in_lines(table, plan)
    elif plan.form == "counts":
        reading.votes = _votes_of_counts(table, plan, options.fractions)
        if not options.fractions and _percentages(_stack(table, plan.columns)):
            reading.notes.append(
                "Every line adds up to 100. If these are percentages, name the number of annotators of an "
                "image: softlabels convert FILE -o votes-long.csv --fractions N."
            )
    else:
        reading.votes = _votes_side_by_side(table, plan)
    reading.named = plan.form == "annotators" or bool(plan.annotator)
    reading.format = f"{table.kind}, {FORMS[plan.form]}"
    reading.classes = tuple(plan.columns) if plan.form == "counts" else ()
    reading.taken = plan.taken(table.header)
    if ignored := plan.ignored(table.header):
        reading.notes.append(f"Columns that are not read: {listed(ignored, 8)}.")
    return reading


# What the columns are.
def planned(table: Table, options: Options) -> Plan:
    """Find out what the columns of a table are.

    `NoPlan` is raised where the header names no column of images, or has no column that `options` name.
    """
    header = table.header
    if options.columns:
        return _told(table, options.columns)
    if options.header and any(map(is_image, header)):
        raise _headless(header)
    exact = {role: _exactly(role, header) for role in ("image", "annotator", "label")}
    image = exact["image"] or _image(table)
    if not image:
        shown = ", ".join(map(quoted, header[:8]))
        raise NoPlan(f"columns {shown}", "name the column of image files 'image'")
    plan = (_long if exact["label"] else _without_label)(table, image, exact)
    if not exact["image"] and not plan.question:
        plan.question = f"no column 'image'; is it {quoted(image)}?"
    return plan


def plain(name: str) -> str:
    """A column's name without case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", name.casefold())


def like_images(cells: "pd.Series") -> bool:
    """Whether nine in ten of the different cells that are not empty end like image files."""
    values = [cell for cell in cells.unique() if cell and cell.strip()]
    return bool(values) and sum(map(is_image, values)) / len(values) >= MOST


def _exactly(role: str, header: Sequence[str]) -> str:
    return next((name for name in header if name.casefold() == role), "")


def _image(table: Table) -> str:
    """The one column whose cells end like image files, else the one that is called like one; or none."""
    looks = [name for name in table.header if like_images(table.column(name))]
    if len(looks) == 1:
        return looks[0]
    named = _named("image", looks or table.header)
    return named[0] if len(named) == 1 or (looks and named) else ""


def _named(role: str, names: Sequence[str]) -> list[str]:
    """Columns called by a synonym of a role, the better synonym first."""
    order = {word: i for i, word in enumerate(SYNONYMS[role].split())}
    ranks: dict[str, int] = {}
    for name in names:
        for word in (plain(name.rpartition(":")[2]), plain(name)):
            if word in order:
                ranks[name] = order[word]
    return sorted(ranks, key=lambda name: ranks[name])


def _headless(header: Sequence[str]) -> NoPlan:
    """A table whose first line is a vote itself."""
    image = next(i for i, name in enumerate(header, 1) if is_image(name))
    others = [i for i in range(1, len(header) + 1) if i != image]
    roles = [("image", image)] + ([("annotator", others[0])] if len(others) > 1 else [])
    roles += [("label", others[-1])] if others else []
    columns = ",".join(f"{role}={number}" for role, number in roles)
    found = f"a first line ({', '.join(map(quoted, header[:4]))}) that is no header: is it a vote?"
    remedy = f"name the columns, or: softlabels convert {{}} --no-header --columns {columns}"
    return NoPlan(found, remedy)


def _told(table: Table, given: dict[str, tuple[str, ...]]) -> Plan:
    """What the user says of the columns."""
    for name in [name for names in given.values() for name in names]:
        if table.header.count(name) != 1:
            near = difflib.get_close_matches(name, table.header, 1)
            hint = f"; did you mean {quoted(near[0])}" if near else ""
            shown = ", ".join(map(quoted, table.header[:20]))
            raise NoPlan(f"no column {quoted(name)}, found {shown}", f"name it in --columns{hint}")
    image = given.get("image", (_exactly("image", table.header) or _image(table),))[0]
    if not image:
        raise NoPlan("no column of images is named", "add image=NAME to --columns")
    who, label, count = (given.get(role, ("",))[0] for role in ("annotator", "label", "count"))
    form = next((f for f in COLUMNS if f in given), "long")
    if form == "long":
        label = label or _exactly("label", table.header)
        if not label:
            raise NoPlan("no column of labels is named", "add label=NAME, counts=A|B or annotators=A|B")
    return Plan(form, image, who, label, count, given.get(form, ()))


def _long(table: Table, image: str, exact: dict[str, str]) -> Plan:
    """A line for each vote: the header says so; but see what else is there."""
    plan = Plan("long", image, exact["annotator"], exact["label"])
    if plan.annotator:
        return plan
    rest = plan.ignored(table.header)
    people = _named("annotator", rest) or [
        name for name in rest if difflib.SequenceMatcher(None, plain(name), "annotator").ratio() > 0.8
    ]
    if people:
        plan.annotator = people[0]
        plan.question = f"no column 'annotator'; is it {quoted(people[0])}?"
        return plan
    if "" in rest and not _is_index(_numbers(table, "")):
        plan.question = "a column without a name; name it (annotator?) or remove it"
        return plan
    numbers = {}
    for name in filter(None, rest):
        values = _numbers(table, name)
        if _whole(values) or _sparse(table, name, values):
            numbers[name] = np.nan_to_num(values)
    counts = [name for name in numbers if plain(name) in SYNONYMS["count"].split()]
    if len(counts) == 1:
        plan.count = counts[0]
        plan.question = f"does column {quoted(counts[0])} say how many gave this label?"
        return plan
    labels = {cell.strip() for cell in table.column(plan.label).unique()}
    if len(numbers) >= 2 and not table.column(image).duplicated().any():
        both = _matrix(table, [*numbers, plan.label])
        if labels <= {*numbers, ""} or (both is not None and _constant(both)):
            counted, doubtful, _ = _counts_among(numbers)
            columns = [name for name in numbers if name in {*counted, *doubtful}]
            if not labels <= {*columns, ""}:
                columns = [*numbers] if labels <= {*numbers, ""} else [*numbers, plan.label]
            shown = ", ".join(map(quoted, [*numbers][:6]))
            question = f"column 'label' beside counts ({shown}): are the counts the votes?"
            return Plan("counts", image, columns=columns, question=question)
    return plan


def _without_label(table: Table, image: str, exact: dict[str, str]) -> Plan:
    rest = [name for name in table.header if name != image]
    if not len(table.rows):
        return Plan("counts", image, columns=rest)
    repeated = 1 - table.column(image).nunique() / len(table.rows) > 0.2
    people = [exact["annotator"]] if exact["annotator"] else _named("annotator", rest)
    labels = [name for name in _named("label", rest) if name not in people]
    others = [name for name in rest if name not in people[:1]]
    if not labels and len(others) == 1 and (people or repeated):
        labels = others
    counts = len(others) > 1 and all(_whole(_numbers(table, name)) for name in others)
    if repeated or exact["annotator"] or (people and labels and not counts):
        return _asked_long(image, rest, people, labels)
    for pattern, form in ((BALLOTS, "labels"), (PEOPLE, "annotators")):
        named = [name for name in rest if pattern.fullmatch(name)]
        if len(named) > 1:
            return _side_by_side(table, Plan(form, image, columns=named))
    return _wide(table, image, rest)


def _asked_long(
    image: str, rest: list[str], people: list[str] | None = None, labels: list[str] | None = None
) -> Plan:
    people = _named("annotator", rest) if people is None else people
    labels = _named("label", rest) if labels is None else labels
    found = ", ".join(map(quoted, rest[:8]))
    if not labels:
        raise NoPlan(f"no column 'label' (found: {found})", "name the column of labels 'label'")
    words = f"{quoted(labels[0])} the label"
    words += f" and {quoted(people[0])} the annotator" if people else ""
    question = f"no column 'label' (found: {found}), so the lines cannot be votes yet: is {words}?"
    return Plan("long", image, people[0] if people else "", labels[0], question=question)


def _side_by_side(table: Table, plan: Plan) -> Plan:
    """Columns called like annotators, or like one vote after another."""
    named, left, matrix = plan.columns, plan.ignored(table.header), _matrix(table, plan.columns)
    what = "annotators" if plan.form == "annotators" else "the votes of an image"
    if matrix is not None and _counts_like(matrix):
        counts = replace(plan, form="counts").option()
        chose = f"or how many chose classes of these names ({counts})"
        plan.question = f"are columns {listed(named, 6)} {what}, {chose}?"
    elif left:
        plan.question = f"are columns {listed(named, 6)} {what}, and columns {listed(left, 6)} not?"
    return plan


def _wide(table: Table, image: str, rest: list[str]) -> Plan:
    """A line for each image: counts by class, or annotators side by side."""
    numbers = {name: _numbers(table, name) for name in rest}
    sparse = [name for name in rest if _sparse(table, name, numbers[name])]
    numeric = [name for name in rest if _mostly(numbers[name])]
    if numeric:  # an empty cell may be a zero, or somebody who was not asked
        numeric = [name for name in rest if name in {*numeric, *sparse}]
        numbers.update({name: np.nan_to_num(numbers[name]) for name in sparse})
    text = [name for name in rest if name not in numeric]
    if len(text) >= 2 and len(numeric) < 2:
        return _text_matrix(table, image, rest, text)
    if not numeric:
        return _asked_long(image, rest)
    doubts = [f"{quoted(name)} holds words" for name in text]
    doubts += [f"{quoted(name)} is empty in most rows" for name in sparse]
    indexes = [name for name in numeric if _is_index(numbers[name])]
    doubts += [f"{quoted(name)} numbers the lines" for name in indexes]
    kept = [name for name in numeric if name not in indexes]
    shares = [name for name in kept if _fractional(numbers[name])]
    within_one = all(np.nanmax(numbers[name], initial=0) <= 1 for name in kept)
    if shares and len(kept) - len(shares) >= 2 and not within_one:
        doubts += [f"{quoted(name)} holds fractions" for name in shares]
        kept, shares = [name for name in kept if name not in shares], []
    counts, doubtful, why = _counts_among({name: numbers[name] for name in kept})
    matrix = _matrix(table, counts)
    form = "counts"
    if len(counts) < 2 or shares or matrix is None or _counts_like(matrix):
        # Shares without a class do not add up to one; of counts nothing would tell that one is missing.
        stays = {*counts} if shares else {*counts, *doubtful}
        kept, doubts = [name for name in kept if name in stays], doubts + why
        doubts += [f"{quoted(name)} is called like a single vote" for name in kept if BALLOTS.fullmatch(name)]
        others = [name for name in kept if name not in doubtful]
        if 0 < len(others) < len(kept):
            without = Plan("counts", image, columns=others).option()
            doubts.append(f"{' and '.join(map(quoted, doubtful))} may be no class (then: {without})")
        if matrix is not None and all(name.strip().isdigit() for name in kept) and not _constant(matrix):
            people = Plan("annotators", image, columns=kept).option()
            how = f"are called by numbers, as people may be (then: {people})"
            doubts.append(f"columns {listed(kept, 6)} {how}, and no sum is in common")
    else:  # no counts, so nothing is a sum of them
        form, matrix = "annotators", _matrix(table, kept)
        low, high = (0, 0) if matrix is None else (int(np.nanmin(matrix)), int(np.nanmax(matrix)))
        counted = Plan("counts", image, columns=kept).option()
        doubts.append(
            f"columns {listed(kept, 6)} hold whole numbers from {low} to {high} that add up to nothing in "
            f"common, like class numbers given by annotators (if they are counts: {counted})"
        )
    if not kept:
        found = ", ".join(map(quoted, rest[:8]))
        raise NoPlan(f"no column of votes (found: {found})", "name the column of labels 'label'")
    plan = Plan(form, image, columns=kept)
    if doubts:
        what = "annotators" if form == "annotators" else "classes with counts"
        plan.question = f"{'; '.join(doubts)}: are columns {listed(kept, 6)} {what}?"
    return plan


def _text_matrix(table: Table, image: str, rest: list[str], text: list[str]) -> Plan:
    """Words in the cells: annotators where the columns share their words, or at least half of them."""
    cells = {name: table.column(name).str.strip() for name in text}
    words = {name: filled[filled != ""].map(normal) for name, filled in cells.items()}
    shared = {}
    for name in text:
        others = set().union(*(words[other] for other in text if other != name))
        known = len(words[name]) and plain(name) not in SUMS.split()
        shared[name] = words[name].isin(others).mean() if known else 0.0
    people = [name for name in text if shared[name] >= 0.5]
    sure = [name for name in people if shared[name] >= MOST]
    if len(people) < 2:
        return _asked_long(image, rest)
    plan = Plan("annotators", image, columns=people)
    left = plan.ignored(table.header)
    more = f", and columns {listed(left, 6)} none" if left else ""
    if sure != people:
        own = " and ".join(quoted(name) for name in people if name not in sure)
        without = f"; without: {replace(plan, columns=sure).option()}" if sure else ""
        more += f" ({own} with some words that no other column has{without})"
    if more:
        plan.question = f"are columns {listed(people, 6)} annotators{more}?"
    return plan


def _counts_among(numbers: dict[str, np.ndarray]) -> tuple[list[str], list[str], list[str]]:
    """Columns that may be counts, those that may be and may not, and what speaks against each of the others.

    A class can follow from the others by chance, or be called like none. So a column is none for sure only
    if it numbers the lines, is the sum of the others in every row, or spoils the common sum that the rows
    have without it. What only with it have a common sum is a class, though it follows from the others.
    """

    def common(names: Iterable[str], sure: bool = False) -> bool:
        return _constant(np.stack([numbers[name] for name in names], 1), sure)

    none = {name: "numbers the lines" for name in numbers if _is_index(numbers[name])}
    kept = [name for name in numbers if name not in none]
    suspects: dict[str, str] = {}
    while (found := _derived(numbers, kept)) is not None:
        name, words, sure = found
        kept.remove(name)
        (none if sure else suspects)[name] = words
    for name in list(kept):
        if (plain(name) in SUMS.split() or not name) and len(kept) > 2:
            kept.remove(name)
            suspects[name] = "is called like no class"
    if len(kept) > 2 and not common(kept):
        odd = [name for name in kept if common(other for other in kept if other != name)]
        if len(odd) == 1:
            kept.remove(odd[0])
            suspects[odd[0]] = "is what keeps the rows from adding up to one number"
    if kept and not common(kept):
        some = (c for n in (1, 2) for c in combinations(suspects, n))
        kept += next((c for c in some if common([*kept, *c])), ())
    doubtful = [
        name
        for name in suspects
        if name in kept or not (kept and common(kept, sure=True)) or common([*kept, name])
    ]
    return kept, doubtful, [f"{quoted(name)} {words}" for name, words in {**none, **suspects}.items()]


def _derived(numbers: dict[str, np.ndarray], kept: list[str]) -> tuple[str, str, bool] | None:
    """A column that follows from the others, or from all but one of them, how, and whether beyond doubt."""
    if len(kept) < 3:
        return None
    stack = np.nan_to_num(np.stack([numbers[name] for name in kept]))
    total = stack.sum(0)
    besides: list[int | None] = [None, *range(len(kept))] if 4 <= len(kept) <= 50 else [None]
    for i, name in enumerate(kept):
        rests = [total - stack[i] - (0 if left is None else stack[left]) for left in besides if left != i]
        if agreeing := [rest for rest in rests if _agree(stack[i], rest)]:
            sure = any(_agree(stack[i], rest, True) and (rest > 0).mean() >= MOST for rest in agreeing)
            return name, "is the sum of the other columns", sure
    for i, name in enumerate(kept):
        for left in besides:
            if left == i:
                continue
            others = np.delete(stack, [i] if left is None else [i, left], axis=0)
            best = others.argmax(0)
            if len(np.unique(best)) >= 2 and (_agree(stack[i], best) or _agree(stack[i], best + 1)):
                return name, "is the number of the largest of the others", False
    for i, name in enumerate(kept):
        if _numbers_of(stack[i], np.delete(stack, i, axis=0)):
            return name, "follows from the largest of the others", False
    return None


def _numbers_of(values: np.ndarray, others: np.ndarray) -> bool:
    """Whether a column has a number of its own for each class that is the largest of the others."""
    order = np.sort(others, axis=0)
    clear = order[-1] > order[-2]
    best = others.argmax(0)
    usual, agree = [], 0
    for k in np.unique(best[clear]):
        found, n = np.unique(values[clear & (best == k)], return_counts=True)
        usual.append(found[n.argmax()])
        agree += int(n.max())
    distinct = len(usual) >= 2 and len(set(usual)) == len(usual)
    return bool(distinct and clear.sum() >= 5 and agree >= MOST * clear.sum())


def _agree(a: np.ndarray, b: np.ndarray, sure: bool = False) -> bool:
    """Whether columns are equal wherever one of them is not zero: rare classes share their zeros."""
    some = (a > 0) | (b > 0)
    return bool(some.sum() >= 3 and (a == b)[some].mean() >= _share(some.sum(), sure))


def _numbers(table: Table, name: str) -> np.ndarray:
    """Cells of a column as float64, nan where they are none.

    Numbers are plain decimal ones, shares with a comma in place of the point (0,25), and percentages, which
    become shares.
    """
    import pandas as pd

    text = table.column(name).astype(str).str.strip()
    percent = text.str.endswith("%").to_numpy(bool)
    text = text.str.removesuffix("%").str.rstrip().str.replace(COMMA, r"\1.\2", regex=True)
    text = text.where(~percent, text.str.replace(",", "."))
    text = text.where(text.str.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", flags=re.ASCII), "nan")
    values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
    return np.where(percent, values / 100, values)


def _stack(table: Table, names: Sequence[str]) -> np.ndarray:
    """Columns as numbers, [rows, columns]."""
    columns = [_numbers(table, name) for name in names]
    return np.stack(columns, 1) if columns else np.zeros((len(table.lines), 0))


def _mostly(values: np.ndarray) -> bool:
    return bool(len(values) and np.isfinite(values).mean() > 0.5)


def _sparse(table: Table, name: str, values: np.ndarray) -> bool:
    """Whether a column is empty in most rows and holds whole numbers, at least one, in the others."""
    finite = np.isfinite(values)
    filled = (table.column(name).str.strip() != "").to_numpy(bool)
    return bool(finite.any() and not _mostly(values) and (finite == filled).all() and _whole(values[finite]))


def _whole(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return _mostly(values) and bool((finite == np.floor(finite)).all() and (finite >= 0).all())


def _fractional(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return bool(len(finite) and (finite != np.floor(finite)).mean() > 0.3)


def _is_index(values: np.ndarray) -> bool:
    return bool(len(values) >= 5 and np.isfinite(values).all() and (np.diff(values) == 1).all())


def _matrix(table: Table, names: Sequence[str]) -> np.ndarray | None:
    """Columns as numbers [rows, columns], or None where they are not whole numbers in the main."""
    values = _stack(table, names)
    finite = values[np.isfinite(values)]
    if not finite.size or np.isfinite(values).mean() < 0.5 or (finite != np.floor(finite)).any():
        return None
    return values


def _constant(matrix: np.ndarray, sure: bool = False) -> bool:
    """Rows with one sum in common, as of a panel where everybody judges every image."""
    sums = matrix[np.isfinite(matrix).all(1)].sum(1)
    most = np.unique(sums, return_counts=True)[1].max(initial=0)
    return bool(len(sums) and most / len(sums) >= _share(len(sums), sure))


def _share(rows: int, sure: bool) -> float:
    """Of the rows, those a property has to hold in; where it must be no chance, all if they are few."""
    return 1.0 if sure and rows < FEW else MOST


def _counts_like(matrix: np.ndarray) -> bool:
    """Whether columns can be counts of classes: these take from each other, class numbers go together.

    Counts of one panel have a common sum. Where panels differ in size, the variance of the sum is still far
    below the sum of the columns' variances, and no row is all zero; class numbers of people who agree have a
    sum of more variance than that, and of people who do not agree, about as much.
    """
    rows = matrix[np.isfinite(matrix).all(1)]
    if not len(rows) or (rows == 0).all(1).mean() > 0.1:
        return False
    apart = rows.var(0).sum()
    return _constant(rows) or bool(apart > 0 and rows.sum(1).var() < 0.7 * apart and (rows == 0).any())


# The votes.
def _frame(
    image: "pd.Series", annotator: object, label: object, count: object, table: Table, lines: object
) -> "pd.DataFrame":
    import pandas as pd

    columns = (image, annotator, label, count, table.file, lines)
    return pd.DataFrame(dict(zip(VOTE, columns, strict=True))).astype({"count": "int64"})


def _votes_in_lines(table: Table, plan: Plan) -> "pd.DataFrame":
    image, label = table.column(plan.image), table.column(plan.label)
    who = table.column(plan.annotator) if plan.annotator else ""
    counts = np.nan_to_num(_checked_counts(table, [plan.count])[:, 0]) if plan.count else 1
    return _frame(image, who, label, counts, table, table.lines)


def _votes_of_counts(table: Table, plan: Plan, annotators: int | None) -> "pd.DataFrame":
    """Counts of classes in columns, or shares of a number of annotators."""
    names = plan.columns
    if annotators:
        values = _from_fractions(table, names, annotators)
    elif _are_shares(table, names):
        values = np.full((len(table.lines), len(names)), np.nan)
    else:
        values = _checked_counts(table, names)
    image = table.column(plan.image)
    first = _first_of_image(table, image)
    if not names:
        return votes_of()
    kept = np.isfinite(values).all(1) & first.to_numpy()
    given = (values > 0) & kept[:, None]
    given[kept & ~given.any(1), 0] = True  # a line without a vote counts none: its image has to be there
    row, k = np.nonzero(given)
    lines = np.array(table.lines, np.int64)[row]
    return _frame(image.to_numpy()[row], "", np.array(names, object)[k], values[row, k], table, lines)


def _votes_side_by_side(table: Table, plan: Plan) -> "pd.DataFrame":
    """Annotators, or votes of nobody in particular, in columns; an empty cell is no vote."""
    import pandas as pd

    image = table.column(plan.image)
    first = _first_of_image(table, image)
    parts = [votes_of()]
    for name in plan.columns:
        cells = table.column(name)
        said = (cells.str.strip() != "") & first
        lines = np.array(table.lines, np.int64)[said.to_numpy()]
        who = name if plan.form == "annotators" else ""
        parts.append(_frame(image[said], who, cells[said], 1, table, lines))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _percentages(values: np.ndarray) -> bool:
    """Whether all rows of numbers add up to 100, give or take what was rounded."""
    return bool(values.size and (np.abs(values.sum(1) - 100) < 100 * WITHIN * max(2, values.shape[1])).all())


def _first_of_image(table: Table, image: "pd.Series") -> "pd.Series":
    """Which rows are the first of their image; a further one is a problem."""
    names = image.map(normal)
    again = names.duplicated()
    line_of: dict[str, int] = {}
    for line, name, twice in zip(table.lines, names, again, strict=True):
        if twice:
            what = f"image {quoted(name)} stands in line {line_of[name]} too"
            table.problem("image twice", what, "add its counts up in one line", line)
        line_of.setdefault(name, line)
    return ~again


def _checked_counts(table: Table, names: Sequence[str]) -> np.ndarray:
    """Counts [rows, columns] as float64; nan, and a problem, where a cell is none."""
    counts = np.full((len(table.lines), len(names)), np.nan)
    for k, name in enumerate(names):
        cells = table.column(name).str.strip()
        whole = cells.str.removesuffix(".0")  # spreadsheets like to add it
        digits = whole.str.fullmatch(r"[0-9]{1,7}").to_numpy(bool)
        counts[digits, k] = whole[digits].astype(np.float64)
        counts[counts[:, k] > MAX_COUNT, k] = np.nan
        for i in np.flatnonzero(np.isnan(counts[:, k])).tolist():
            what = f"{quoted(cells.iloc[i])} for class {quoted(name)}"
            remedy = f"expected a count, a whole number from 0 to {MAX_COUNT}"
            table.problem("not a count", what, remedy, table.lines[i])
    return counts


def _are_shares(table: Table, names: Sequence[str]) -> bool:
    """Whether cells are shares in place of counts, such as add up to one: that is a problem."""
    values = _stack(table, names)
    sums = values[np.isfinite(values).all(1)].sum(1) if values.size else np.zeros(0)
    finite = values[np.isfinite(values)]
    fractions = float((finite % 1 != 0).mean()) if finite.size else 0.0
    adds = float((np.abs(sums - 1) < WITHIN * max(2, len(names))).mean()) if len(sums) else 0.0
    shares = fractions > 0 and finite.max() <= 1 and adds > 0.5
    if not shares and (fractions < 0.3 or len(sums) < 0.5 * len(values)):
        return False
    what = f"fractions in columns {', '.join(map(quoted, names[:4]))}"
    what += " that add up to one: shares, not counts" if adds > 0.9 else ""
    remedy = "write counts, or name the number of annotators of an image: softlabels convert {} --fractions N"
    table.problem("shares in place of counts", what, remedy)
    return True


def _from_fractions(table: Table, names: Sequence[str], annotators: int) -> np.ndarray:
    """Counts from shares of a number of annotators; rows that are none, or no whole votes, are problems."""
    shares = _stack(table, names)
    if _percentages(shares):
        shares /= 100
    counts = np.round(shares * annotators)
    for row, votes, line in zip(shares, counts, table.lines, strict=True):
        remedy = "correct or remove the line"
        if not np.isfinite(row).all() or (row < 0).any() or (row > 1).any():
            table.problem("not a share", "a cell that is no share from 0 to 1", remedy, line)
        elif abs(row.sum() - 1) > WITHIN * max(2, len(names)):
            what = f"shares that add up to {row.sum():.4g}, expected 1"
            table.problem("shares that do not add up to one", what, remedy, line)
        elif np.abs(row * annotators - votes).max() > WITHIN * annotators + 1e-9 or votes.sum() != annotators:
            what = f"shares that are no whole votes of {annotators} annotators"
            table.problem("no whole votes", what, "name the number of annotators with --fractions", line)
        else:
            continue
        votes[:] = np.nan
    return counts
