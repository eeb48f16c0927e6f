"""Contract types for import-linter: what a module is called says what it may import, so that new files are covered."""

from fnmatch import fnmatchcase

from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import Layer, LayersContract, ModuleTail
from importlinter.domain import fields
from importlinter.domain.imports import ModuleExpression

ALL_OTHERS = "*"


def matching(names: list[str], patterns: set[str]) -> set[str]:
    """Return the names that match a pattern as a shell would; a pattern that names one module must match it."""
    found = {pattern: {name for name in names if fnmatchcase(name, pattern)} for pattern in patterns}
    if stale := sorted(pattern for pattern, hits in found.items() if not hits and "*" not in pattern):
        raise ValueError(f"there is no module {', '.join(stale)}; the import contracts in setup.cfg name it.")
    return set().union(*found.values())


class ForbiddenByName(ForbiddenContract):
    """The contract `forbidden` for all modules whose names match `modules` and do not match `exceptions`."""

    type_name = "forbidden_by_name"
    source_modules = fields.SetField(subfield=fields.ModuleExpressionField(), required=False)  # chosen by name
    modules = fields.SetField(subfield=fields.StringField())
    exceptions = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph, verbose):
        names = sorted(name for name in graph.modules if not graph.is_module_squashed(name))
        chosen = matching(names, self.modules) - matching(names, self.exceptions or set())
        if not chosen:
            raise ValueError(f"{self.name}: no module matches.")
        self.source_modules = {ModuleExpression(name) for name in chosen}
        return super().check(graph, verbose)


class LayersWithTopics(LayersContract):
    """The contract `layers`, where `*` means all folders that no layer names. They must not import one another."""

    type_name = "layers_with_topics"

    def check(self, graph, verbose):
        (container,) = (str(expression) for expression in self.containers)
        named = {tail.name for layer in self.layers for tail in layer.module_tails}
        folders = {name.rpartition(".")[2] for name in graph.find_children(container) if graph.find_children(name)}
        topics = {ModuleTail(name) for name in folders - named}
        self.layers = [
            Layer({tail for tail in layer.module_tails if tail.name != ALL_OTHERS} | topics, layer.is_independent)
            if any(tail.name == ALL_OTHERS for tail in layer.module_tails)
            else layer
            for layer in self.layers
        ]
        return super().check(graph, verbose)
