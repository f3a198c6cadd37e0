"""How each form of condition is read."""

from collections.abc import Callable

from stream.conditions import elsewhere, one_trait, rewriting, standing
from stream.conditions.amounts import Amount
from stream.conditions.conditions import All, AnyOf, Condition, Member, Not
from stream.conditions.contradictions import contradictions
from stream.conditions.details import Mention
from stream.conditions.document import Listing, Node, Scalar, Table, shown
from stream.conditions.fields import Fields, source_of
from stream.conditions.fixes import plain_signs
from stream.conditions.forms import BOUNDS, FORMS
from stream.conditions.hints import Hint, whole
from stream.conditions.occurrences import CountEver, CountWithin, EventAge, Sequence
from stream.conditions.problems import Edit, Problems, listed
from stream.conditions.selection import ORDER_COMPLETED, Selection
from stream.conditions.standing_phrases import StandingPhrases

MAX_STEPS = 8
#: What other tools write in place of a form.
_ELSEWHERE = (
    elsewhere.operator_form,
    elsewhere.joined,
    elsewhere.not_in,
    elsewhere.since_last,
)


class Phrases(StandingPhrases):
    """Reads conditions; `uses` collects where each segment is asked about by `in`."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self.uses: list[tuple[str, Node, str]] = []
        self._readers: dict[str, Callable[[Fields], Condition | None]] = {
            "all": lambda fields: self._several(fields, "all"),
            "any": lambda fields: self._several(fields, "any"),
            "not": self._negation,
            "did": self._did,
            "did_not": self._did_not,
            "first": lambda fields: self._age(fields, "first"),
            "last": lambda fields: self._age(fields, "last"),
            "trait": self._trait,
            "measure": self.measure,
            "sum": lambda fields: self._amount(fields, "sum"),
            "average": lambda fields: self._amount(fields, "average"),
            "sequence": self._sequence,
            "affinity": self.affinity,
            "cluster": self.cluster,
            "in": self._member,
        }

    def condition(self, node: Node, path: str) -> Condition | None:
        """The condition that `node` spells, None if it is none."""
        expected = f"a condition: a mapping with one of {listed(FORMS)}"
        if not isinstance(node, Table):
            hint = self._for_no_condition(node)
            edit = Edit(node.mark.index, node.end, hint.word) if hint.word and node.end else None
            self.problems.add(node.mark, path, shown(node), expected, hint.text, edit, node.end)
            return None
        fields = Fields(node, path, self.problems)
        form = self._form(fields, expected)
        if form is None:
            return None
        if self._of_elsewhere(fields, form):
            return None
        if form != "measure":
            fields.allow(
                FORMS[form], f'a condition on "{form}"', rewriting.special_fields(form, fields)
            )
        return self._readers[form](fields)

    def _of_elsewhere(self, fields: Fields, form: str) -> bool:
        """Tell of a condition that other tools write so, as a whole; whether it is one."""
        if (hint := elsewhere.operator_form(fields)).text:
            fields.misplaced("operator and value", "a comparison as a field", hint)
            return True
        if form == "did_not" and (hint := rewriting.seldom(fields)).text:
            rewriting.tell_seldom(fields, hint)
            return True
        name = fields.table.fields.get("trait")
        if form == "trait" and isinstance(name, Scalar):
            hint = elsewhere.date_trait(fields, name.raw)
            if hint.text:
                expected = "how long ago the event was"
                fields.wrong_whole(
                    "trait", hint, f'a date as the trait "{name.raw[:60]}"', expected
                )
            return bool(hint.text)
        return False

    def _for_no_condition(self, node: Node) -> Hint:
        """What to write in place of what is no mapping: `[…]`, an event's name, prose."""
        spelled = source_of(node, self.problems)
        if isinstance(node, Listing):
            if spelled and node.flow:
                return whole(f"{{all: {spelled}}}")
            return Hint('put "all:" or "any:" before the list')
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return Hint(f"for example {rewriting.EXAMPLE}")
        return rewriting.for_sentence(node.raw)

    def _form(self, fields: Fields, expected: str) -> str | None:
        # `in` is also a test of a trait.
        found = [name for name in fields.table.fields if name in FORMS and name != "in"]
        found = found or [form for form in ("in",) if form in fields]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            end = fields.table.ends.get(found[1], 0)
            what = f"{listed(found).replace(' or ', ' and ')} in one condition"
            hint = rewriting.apart(fields, found)
            flow = hint.word and fields.table.flow
            edit = Edit(fields.table.mark.index, fields.table.end, hint.word) if flow else None
            self.problems.add(
                fields.mark(found[1]), fields.path, what, "one of them", hint.text, edit, end
            )
        else:
            self._no_subject(fields, expected)
        return None

    def _no_subject(self, fields: Fields, expected: str) -> None:
        keys = list(fields.table.keys)
        for look in _ELSEWHERE if keys else ():
            if (other := look(fields)).text:
                fields.misplaced(f"no subject (only {', '.join(keys)[:120]})", expected, other)
                return
        odd, spelled = "", source_of(fields.table, self.problems)
        for key in keys:
            odd = odd or Fields.sign(key)
        if odd and fields.table.flow and spelled:
            hint = whole(plain_signs(spelled))
            fields.misplaced(f"a condition with {odd}", "signs of an English keyboard", hint)
            return
        for key in keys:
            hint = rewriting.for_subject(fields, key)
            if hint.text:
                break
        else:
            hint = Hint("" if keys else f"for example {rewriting.EXAMPLE}")
        if not keys:
            fields.misplaced("an empty mapping", expected, hint)
            return
        if not hint.text:
            hint = rewriting.as_trait(fields)
        known = [key for key in keys if any(key in allowed for allowed in FORMS.values())]
        if len(known) == len(keys):
            of = "did: …" if keys[0] in FORMS["did"] else "measure: spend"
            of = of if keys[0] in (*FORMS["did"], *FORMS["measure"]) else "trait: …"
            hint = hint if hint.text else Hint(f"say what of: {{{of}, {keys[0]}: …}}")
        said = ", ".join(keys)[:120]
        if hint.word.startswith("{") or not hint.word:
            fields.misplaced(f"no subject (only {said})", expected, hint)
            return
        # The key itself is to be called otherwise.
        mark, end = fields.mark(key), fields.table.ends.get(key, 0)
        edit = Edit(mark.index, end, hint.word) if end else None
        found = f'unknown field "{key[:60]}"'
        about = f"what the condition is about: {listed(FORMS)}"
        self.problems.add(mark, fields.below(key), found, about, hint.text, edit, end)
        form = hint.word.partition(":")[0]
        if form in FORMS and form == hint.word:
            self.condition(rewriting.renamed(fields.table, key, form), fields.path)

    def _several(self, fields: Fields, form: str) -> Condition | None:
        node = fields.table.fields[form]
        if not isinstance(node, Listing) or not node.items:
            found = "an empty list" if isinstance(node, Listing) else shown(node)
            fields.wrong(form, found, "a list of conditions", self._as_list(fields, form, node))
            return None
        path = fields.below(form)
        read = [self.condition(item, f"{path}[{i}]") for i, item in enumerate(node.items)]
        parts = tuple(part for part in read if part is not None)
        if len(parts) < len(read):
            return None
        joint = All(parts) if form == "all" else AnyOf(parts)
        for i, j, found in contradictions(joint):
            expected = "parts that can all hold" if form == "all" else "parts that can all fail"
            other, item = node.items[j].mark, node.items[i]
            found = found.format(f"{path}[{j}] (line {other.line}, column {other.column})")
            self.problems.add(
                item.mark,
                f"{path}[{i}]",
                found,
                expected,
                "change or delete one of them",
                end=item.end,
            )
        if form == "all":
            one_trait.note_two_values(joint.parts, node, path, self.problems)
        else:
            one_trait.note_always(joint.parts, node, fields)
        return joint

    def _as_list(self, fields: Fields, form: str, node: Node) -> Hint:
        if not isinstance(node, Table):
            spelled = source_of(node, self.problems)
            inner = spelled if spelled.startswith("{") else "{did: …}, {did: …}"
            return Hint(f"write {form}: [{inner}]")
        parts = Fields(node, fields.below(form), self.problems)
        forms = [name for name in node.fields if name in FORMS]
        spelled = source_of(node, self.problems)
        if len(forms) == 1 and spelled and node.flow:
            return Hint(f"write {form}: [{spelled}]", f"[{spelled}]")
        values = [parts.spelled(name) for name in node.fields]
        if node.flow and all(values) and len(forms) == len(node.fields) > 1:
            each = zip(node.fields, values, strict=True)
            word = f"[{', '.join(f'{{{name}: {value}}}' for name, value in each)}]"
            return Hint(f"write {form}: {word}", word)
        return Hint(f'write {form}: [{{…}}, {{…}}], or put "- " before each part')

    def _negation(self, fields: Fields) -> Condition | None:
        node = fields.table.fields["not"]
        if isinstance(node, Listing):
            spelled = fields.spelled("not") if node.flow else ""
            hint = Hint(f"write not: {{any: {spelled}}}", f"{{any: {spelled}}}")
            fields.wrong(
                "not", "a list", "one condition", hint if spelled else "write not: {any: […]}"
            )
            return None
        part = self.condition(fields.table.fields["not"], fields.below("not"))
        return None if part is None else Not(part)

    def _did(self, fields: Fields) -> Condition | None:
        selection = self.selection(fields, "did")
        within_ms = fields.duration("within")
        counts = self.counts(fields)
        if selection is None or counts is None or ("within" in fields and within_ms is None):
            return None
        low, high = counts
        if within_ms is None:
            return CountEver(selection, low, high)
        return CountWithin(selection, low, high, within_ms)

    def _did_not(self, fields: Fields) -> Condition | None:
        selection = self.selection(fields, "did_not")
        within_ms = fields.duration("within")
        if selection is None or ("within" in fields and within_ms is None):
            return None
        if within_ms is None:
            return CountEver(selection, 0, 0)
        return CountWithin(selection, 0, 0, within_ms)

    def _age(self, fields: Fields, form: str) -> Condition | None:
        selection = self.selection(fields, form)
        ages = self.ages(fields)
        return EventAge(form, selection, *ages) if selection and ages else None

    def _trait(self, fields: Fields) -> Condition | None:
        name = fields.text("trait", "the name of a trait")
        if name and self.compared(fields, "trait", name):
            return None
        if name and self.usual_signs(fields, "trait", name):
            self.mention("trait", fields, "trait", name)
        test = self.value_test(fields)
        if name and test and (other := rewriting.no_trait(fields, name)).text:
            mark, table = fields.table.fields["trait"].mark, fields.table
            edit = Edit(table.mark.index, table.end, other.word) if table.flow else None
            found = f'"{name}" is asked of the profile, which hardly has it'
            end = fields.table.fields["trait"].end
            self.problems.note(mark, fields.below("trait"), found, other.text, edit, end)
        return standing.Trait(name, test) if name and test else None

    def _amount(self, fields: Fields, form: str) -> Condition | None:
        name = fields.text(form, "the name of a property, such as total")
        if "of" not in fields:
            if "from" in fields:
                return None
            expected = f"of: and an event, such as {ORDER_COMPLETED}"
            fields.misplaced(
                f"{form} without of", expected, self._of_event(fields, form, name or "")
            )
            return None
        if name and (hint := rewriting.swapped(fields, form)).text:
            expected = "the name of a property, and of: an event"
            fields.wrong_whole(form, hint, f'the event "{name[:60]}"', expected)
            return None
        selection = self.selection(fields, "of")
        if name and selection:
            node = fields.table.fields[form]
            self.mentions.append(
                Mention(
                    "property", name, node.mark, node.end, fields.below(form), selection.names[0]
                )
            )
        within_ms = fields.duration("within")
        bounds = self.required_bounds(fields)
        if not (name and selection and bounds) or ("within" in fields and within_ms is None):
            return None
        return Amount(form == "average", selection, name, within_ms, bounds)

    def _of_event(self, fields: Fields, form: str, name: str) -> Hint:
        event, dot, amount = name.rpartition(".")
        others = [f"{key}: {fields.spelled(key)}" for key in fields.table.fields if key != form]
        head = (
            f"{form}: {amount}, of: {event}"
            if dot and amount
            else f"{form}: {name}, of: {ORDER_COMPLETED}"
        )
        return whole(f"{{{', '.join([head, *others])}}}")

    def _sequence(self, fields: Fields) -> Condition | None:
        node = fields.table.fields["sequence"]
        within_ms = fields.duration("within")
        expected = f"a list of 2 to {MAX_STEPS} steps: [{{did: A}}, {{did: B}}]"
        if not isinstance(node, Listing) or not 2 <= len(node.items) <= MAX_STEPS:
            found = f"a list of {len(node.items)}" if isinstance(node, Listing) else shown(node)
            one = isinstance(node, Listing) and len(node.items) == 1
            hint = "write sequence: [{did: …}, {did: …}]"
            fields.wrong(
                "sequence", found, expected, "for one event write {did: …} alone" if one else hint
            )
            return None
        if (apart := rewriting.without_step(fields)).text:
            rewriting.tell_step(fields, apart)
            return None
        path = fields.below("sequence")
        steps = [self._step(item, f"{path}[{i}]") for i, item in enumerate(node.items)]
        usable = tuple(step for step in steps if step is not None)
        if len(usable) < len(steps) or ("within" in fields and within_ms is None):
            return None
        return Sequence(usable, within_ms)

    def _step(self, node: Node, path: str) -> Selection | None:
        if not isinstance(node, Table) or "did" not in node.fields:
            found = "a step without did" if isinstance(node, Table) else shown(node)
            hint, edit = "", None
            if isinstance(node, Scalar) and isinstance(node.value, str):
                word = f"{{did: {source_of(node, self.problems)}}}"
                hint, edit = f"write {word}", Edit(node.mark.index, node.end, word)
            elif isinstance(node, Table):
                hint = "what must not happen between goes under all: beside the sequence"
            self.problems.add(node.mark, path, found, "a step: {did: Event}", hint, edit, node.end)
            return None
        fields = Fields(node, path, self.problems)
        once = Hint("a step is one event: name it as often as it is wanted")
        special = dict.fromkeys(BOUNDS, once)
        special["within"] = Hint("write within: once, beside sequence:")
        fields.allow(("did", "where"), "a step of a sequence", special)
        return self.selection(fields, "did")

    def _member(self, fields: Fields) -> Condition | None:
        if isinstance(fields.table.fields["in"], Listing):
            fields.wrong_whole(
                "in", rewriting.each_of(fields, "in"), "a list", "the id of a segment"
            )
            return None
        name = fields.text("in", "the id of a segment")
        if name is None:
            return None
        self.uses.append((name, fields.table.fields["in"], fields.below("in")))
        return Member(name)
