"""What the columns of a table are: votes in lines, counts, annotators side by side, or shares; or a question.

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

from softlabels.datasets.collection import is_image, normal, quoted
from softlabels.datasets.formats.containers import Options, Table

if TYPE_CHECKING:
    import pandas as pd

LONG = ("image", "annotator", "label")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Names that other programs give the columns, without spaces, case and punctuation; the likeliest first.
SYNONYMS = {
    "image": _words(
        "image img images imagefile imagename imagepath imageurl imageid imgid imgname imgpath"
        " filename filepath file files filenames path url uri inputimage inputimageurl picture"
        " photo photoid subjectid subjectids subject sampleid sample exampleid example itemid item"
        " taskid task instanceid instance caseid case objectid object origid document slide"
        " questionid question stimulus id"
    ),
    "annotator": _words(
        "annotator annotatorid annotatorname worker workerid rater raterid reader readerid coder"
        " coderid labeler labeller labelerid username userid user expert judge judgeid reviewer"
        " completedby assignee performer performerid amtworkerids amtworkerid crowdworker"
        " participant participantid person personid respondent email author doctor radiologist"
        " pathologist observer student who"
    ),
    "label": _words(
        "label answer class classlabel category choice labels answers categories choices"
        " annotation vote response responses judgement judgment diagnosis decision verdict rating"
        " tag tags classification outputlabel outputresult output result selected chosen value"
        " target"
    ),
    "count": _words("count counts n votes nvotes numvotes frequency freq number"),
}
# Names of columns that are seldom classes beside counts of classes.
SUMS = _words(
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
MOST = 0.9  # of the rows, for a property that a column may miss in some
FEW = 30  # rows of which nine in ten can have a property by chance


@dataclass
class Plan:
    """The role of each column, what was seen, and what is asked of the user before it counts."""

    form: str  # long, counts, annotators, labels
    image: str
    annotator: str = ""
    label: str = ""
    count: str = ""
    columns: tuple[str, ...] = ()  # of counts, annotators or labels
    ignored: tuple[str, ...] = ()
    question: str = ""

    def single(self) -> list[tuple[str, str]]:
        """Columns that have a role alone, and it."""
        roles = {"image": self.image, "annotator": self.annotator, "label": self.label, "count": self.count}
        return [(name, role) for role, name in roles.items() if name]

    def option(self) -> str:
        """The option of the command line that says the same."""
        words = [f"{role}={name}" for name, role in self.single()]
        words += [] if self.form == "long" else [f"{self.form}={'|'.join(self.columns)}"]
        return f"--columns {shlex.quote(','.join(words))}"

    def taken(self) -> tuple[tuple[str, str], ...]:
        """Column and what it is taken for, in words."""
        many = {"counts": "count of a class", "annotators": "an annotator", "labels": "a vote of an image"}
        found = [*self.single(), *((name, many[self.form]) for name in self.columns)]
        return (*found, *((name, "not read") for name in self.ignored))


class NoPlan(Exception):
    """A header that says nothing: what was found, and the remedy."""


def plain(name: str) -> str:
    """A column's name without case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", name.casefold())


def planned(table: Table, options: Options) -> Plan:
    """Find out what the columns of a table are.

    Raises
    ------
    NoPlan
        The header names no column of images, or a name that `options` give is not there.
    """
    if options.columns:
        return _told(table, options)
    header = table.header
    if options.header and any(map(is_image, header)):
        raise _headless(table)
    exact = {role: name for role in LONG if (name := _exactly(role, header))}
    image = exact.get("image") or _image(table)
    if not image:
        shown = ", ".join(map(quoted, header[:8]))
        raise NoPlan(f"columns {shown}", "name the column of image files 'image'")
    plan = (_long if "label" in exact else _without_label)(table, image, exact)
    if "image" not in exact and not plan.question:
        plan.question = f"no column 'image'; is it {quoted(image)}?"
    return plan


def _exactly(role: str, header: Sequence[str]) -> str:
    return next((name for name in header if name.casefold() == role), "")


def _image(table: Table) -> str:
    """The one column whose cells end like image files, else the one that is called like one; or none."""
    looks = [name for name in table.header if like_images(table.column(name))]
    if len(looks) == 1:
        return looks[0]
    named = _named("image", looks or table.header)
    return named[0] if len(named) == 1 or (looks and named) else ""


def like_images(cells: "pd.Series") -> bool:
    """Whether nine in ten of the different cells that are not empty end like image files."""
    values = [cell for cell in cells.unique() if cell and cell.strip()]
    return bool(values) and sum(map(is_image, values)) / len(values) >= MOST


def _named(role: str, names: Sequence[str]) -> list[str]:
    """Columns called by a synonym of a role, the better synonym first."""
    order = {word: i for i, word in enumerate(SYNONYMS[role])}
    known = [name for name in names if plain(name) in order or plain(name.rpartition(":")[2]) in order]
    return sorted(known, key=lambda n: order.get(plain(n), order.get(plain(n.rpartition(":")[2]), 0)))


def _headless(table: Table) -> NoPlan:
    """A table whose first line is a vote itself."""
    image = next(i for i, name in enumerate(table.header, 1) if is_image(name))
    others = [i for i in range(1, len(table.header) + 1) if i != image]
    roles = [("image", image)] + ([("annotator", others[0])] if len(others) > 1 else [])
    roles += [("label", others[-1])] if others else []
    columns = ",".join(f"{role}={number}" for role, number in roles)
    found = f"a first line ({', '.join(map(quoted, table.header[:4]))}) that is no header: is it a vote?"
    remedy = f"name the columns, or: softlabels convert {{}} --no-header --columns {columns}"
    return NoPlan(found, remedy)


def _told(table: Table, options: Options) -> Plan:
    given = options.columns
    for names in given.values():
        for name in names:
            if table.header.count(name) != 1:
                near = difflib.get_close_matches(name, table.header, 1)
                hint = f"; did you mean {quoted(near[0])}" if near else ""
                shown = ", ".join(map(quoted, table.header[:20]))
                found = "no" if name not in table.header else "more than one"
                raise NoPlan(f"{found} column {quoted(name)}, found {shown}", f"name it in --columns{hint}")
    image = given.get("image", (_exactly("image", table.header) or _image(table),))[0]
    if not image:
        raise NoPlan("no column of images is named", "add image=NAME to --columns")
    one = {role: given.get(role, ("",))[0] for role in ("annotator", "label", "count")}
    form = next((f for f in ("counts", "annotators", "labels") if f in given), "long")
    if form == "long" and not one["label"]:
        one["label"] = _exactly("label", table.header)
        if not one["label"]:
            raise NoPlan("no column of labels is named", "add label=NAME, counts=A|B or annotators=A|B")
    used = {image, *filter(None, one.values()), *given.get(form, ())}
    rest = tuple(name for name in table.header if name not in used)
    roles = (one["annotator"], one["label"], one["count"])
    return Plan(form, image, *roles, columns=given.get(form, ()), ignored=rest)


def _long(table: Table, image: str, exact: dict[str, str]) -> Plan:
    """A line for each vote: the header says so; but see what else is there."""
    rest = [name for name in table.header if name not in (image, exact["label"], exact.get("annotator"))]
    plan = Plan("long", image, exact.get("annotator", ""), exact["label"], ignored=tuple(rest))
    if plan.annotator:
        return plan
    people = _named("annotator", rest) or [
        name for name in rest if difflib.SequenceMatcher(None, plain(name), "annotator").ratio() > 0.8
    ]
    if people:
        plan.annotator, plan.ignored = people[0], tuple(n for n in rest if n != people[0])
        plan.question = f"no column 'annotator'; is it {quoted(people[0])}?"
        return plan
    blank = [name for name in rest if not name and not _is_index(_numbers(table.column(name)))]
    if blank:
        plan.question = "a column without a name; name it (annotator?) or remove it"
        return plan
    numbers = {
        name: np.nan_to_num(v)
        for name in rest
        if name and (_whole(v := _numbers(table.column(name))) or _sparse(table.column(name), v))
    }
    whole = list(numbers)
    counts = [name for name in whole if plain(name) in SYNONYMS["count"]]
    if len(counts) == 1:
        plan.count, plan.ignored = counts[0], tuple(n for n in rest if n != counts[0])
        plan.question = f"does column {quoted(counts[0])} say how many gave this label?"
        return plan
    labels = {cell.strip() for cell in table.column(plan.label).unique()}
    if len(whole) >= 2 and not table.column(image).duplicated().any():
        both = _matrix(table, [*whole, plan.label])
        if labels <= {*whole, ""} or (both is not None and _constant(both)):
            counted, doubtful, _ = _counts_among(numbers)
            apart = [name for name in whole if name in {*counted, *doubtful}]
            columns = tuple(apart) if labels <= {*apart, ""} else tuple(whole)
            columns = columns if labels <= {*columns, ""} else (*columns, plan.label)
            shown = ", ".join(map(quoted, whole[:6]))
            others = tuple(n for n in table.header if n != image and n not in columns)
            question = f"column 'label' beside counts ({shown}): are the counts the votes?"
            return Plan("counts", image, columns=columns, ignored=others, question=question)
    return plan


def _without_label(table: Table, image: str, exact: dict[str, str]) -> Plan:
    rest = [name for name in table.header if name != image]
    if table.rows is None or not len(table.rows):
        return Plan("counts", image, columns=tuple(rest))
    repeated = 1 - table.column(image).nunique() / len(table.rows) > 0.2
    people = [exact["annotator"]] if "annotator" in exact else _named("annotator", rest)
    labels = [name for name in _named("label", rest) if name not in people]
    others = [name for name in rest if name not in people[:1]]
    if not labels and len(others) == 1 and (people or repeated):
        labels = others
    counts = len(others) > 1 and all(_whole(_numbers(table.column(name))) for name in others)
    single = labels and not counts
    if repeated or people[:1] == [exact.get("annotator")] or (single and people):
        return _asked_long(image, rest, people, labels)
    for pattern, form in ((BALLOTS, "labels"), (PEOPLE, "annotators")):
        named = [name for name in rest if pattern.fullmatch(name)]
        if len(named) > 1:
            return _side_by_side(table, image, rest, named, form)
    return _wide(table, image, rest)


def _asked_long(image: str, rest: list[str], people: list[str], labels: list[str]) -> Plan:
    who = people[0] if people else ""
    what = labels[0] if labels else ""
    found = ", ".join(map(quoted, rest[:8]))
    if not what:
        raise NoPlan(f"no column 'label' (found: {found})", "name the column of labels 'label'")
    words = f"{quoted(what)} the label"
    words += f" and {quoted(who)} the annotator" if who else ""
    ignored = tuple(name for name in rest if name not in (who, what))
    question = f"no column 'label' (found: {found}), so the lines cannot be votes yet: is {words}?"
    return Plan("long", image, who, what, ignored=ignored, question=question)


def _side_by_side(table: Table, image: str, rest: list[str], named: list[str], form: str) -> Plan:
    """Columns called like annotators, or like one vote after another."""
    left = [name for name in rest if name not in named]
    plan, matrix = Plan(form, image, columns=tuple(named), ignored=tuple(left)), _matrix(table, named)
    what = "annotators" if form == "annotators" else "the votes of an image"
    if matrix is not None and _counts_like(matrix):
        counts = Plan("counts", image, columns=tuple(named)).option()
        plan.question = f"are {_listed(named)} {what}, or how many chose classes of these names ({counts})?"
    elif left:
        plan.question = f"are {_listed(named)} {what}, and {_listed(left)} not?"
    return plan


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(quoted, names[:6]))
    return f"columns {shown}" + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _wide(table: Table, image: str, rest: list[str]) -> Plan:
    """A line for each image: counts by class, or annotators side by side."""
    numbers = {name: _numbers(table.column(name)) for name in rest}
    sparse = [name for name in rest if _sparse(table.column(name), numbers[name])]
    numeric = [name for name in rest if _mostly(numbers[name])]
    if numeric:  # an empty cell may be a zero, or somebody who was not asked
        numeric = [name for name in rest if name in {*numeric, *sparse}]
        numbers.update({name: np.nan_to_num(numbers[name]) for name in sparse})
    text = [name for name in rest if name not in numeric]
    if len(text) >= 2 and len(numeric) < 2:
        return _text_matrix(table, image, rest, text)
    if not numeric:
        return _asked_long(image, rest, _named("annotator", rest), _named("label", rest))
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
        others = tuple(name for name in kept if name not in doubtful)
        if 0 < len(others) < len(kept):
            without = Plan("counts", image, columns=others).option()
            doubts.append(f"{' and '.join(map(quoted, doubtful))} may be no class (then: {without})")
        if matrix is not None and all(name.strip().isdigit() for name in kept) and not _constant(matrix):
            people = Plan("annotators", image, columns=tuple(kept)).option()
            doubts.append(
                f"{_listed(kept)} are called by numbers, as people may be (then: {people}), and no sum is in "
                "common"
            )
    else:  # no counts, so nothing is a sum of them
        form, matrix = "annotators", _matrix(table, kept)
        low, high = (int(f(matrix)) for f in (np.nanmin, np.nanmax)) if matrix is not None else (0, 0)
        counted = Plan("counts", image, columns=tuple(kept)).option()
        doubts.append(
            f"{_listed(kept)} hold whole numbers from {low} to {high} that add up to nothing in common, like "
            f"class numbers given by annotators (if they are counts: {counted})"
        )
    if not kept:
        found = ", ".join(map(quoted, rest[:8]))
        raise NoPlan(f"no column of votes (found: {found})", "name the column of labels 'label'")
    plan = Plan(form, image, columns=tuple(kept), ignored=tuple(n for n in rest if n not in kept))
    if doubts:
        what = "annotators" if form == "annotators" else "classes with counts"
        plan.question = f"{'; '.join(doubts)}: are {_listed(kept)} {what}?"
    return plan


def _text_matrix(table: Table, image: str, rest: list[str], text: list[str]) -> Plan:
    """Words in the cells: annotators where the columns share their words, or at least half of them."""
    words = {name: table.column(name).str.strip() for name in text}
    sets = {name: set(cells[cells != ""].map(normal)) for name, cells in words.items()}
    shared = {}
    for name in text:
        others = set().union(*(sets[other] for other in text if other != name))
        filled = words[name][words[name] != ""].map(normal)
        shared[name] = filled.isin(others).mean() if len(filled) and plain(name) not in SUMS else 0.0
    people = [name for name in text if shared[name] >= 0.5]
    sure = tuple(name for name in people if shared[name] >= MOST)
    if len(people) < 2:
        return _asked_long(image, rest, _named("annotator", rest), _named("label", rest))
    left = tuple(name for name in rest if name not in people)
    plan = Plan("annotators", image, columns=tuple(people), ignored=left)
    more = f", and {_listed(left)} none" if left else ""
    if sure != plan.columns:
        own = " and ".join(quoted(name) for name in people if name not in sure)
        without = f"; without: {replace(plan, columns=sure).option()}" if sure else ""
        more += f" ({own} with some words that no other column has{without})"
    if more:
        plan.question = f"are {_listed(people)} annotators{more}?"
    return plan


def _counts_among(numbers: "dict[str, np.ndarray]") -> tuple[list[str], list[str], list[str]]:
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
        if (plain(name) in SUMS or not name) and len(kept) > 2:
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


def _derived(numbers: "dict[str, np.ndarray]", kept: list[str]) -> tuple[str, str, bool] | None:
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


def _numbers(cells: "pd.Series") -> np.ndarray:
    """Cells as float64, nan where they are none; only plain decimal numbers count as numbers."""
    import pandas as pd

    text = cells.astype(str).str.strip()
    text = text.where(text.str.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", flags=re.ASCII), "nan")
    return pd.to_numeric(text, errors="coerce").to_numpy(np.float64)


def _mostly(values: np.ndarray) -> bool:
    return bool(len(values) and np.isfinite(values).mean() > 0.5)


def _sparse(cells: "pd.Series", values: np.ndarray) -> bool:
    """Whether a column is empty in most rows and holds whole numbers, at least one, in the others."""
    finite = np.isfinite(values)
    filled = (cells.str.strip() != "").to_numpy(bool)
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
    values = np.stack([_numbers(table.column(name)) for name in names], 1) if names else np.zeros((0, 0))
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
    if not len(rows):
        return False
    if (rows == 0).all(1).mean() > 0.1:
        return False
    apart = rows.var(0).sum()
    return _constant(rows) or bool(apart > 0 and rows.sum(1).var() < 0.7 * apart and (rows == 0).any())
