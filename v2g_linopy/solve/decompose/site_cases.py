"""A case divided: what stands at each point of delivery, and what is left to the portfolio
(docs/formulation.md §11).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...case.io import stamped
from ...case.version import package_version
from ...errors import Problem, SchemaError
from ...model.inputs import Inputs, inputs_of, pods_of
from ...model.part import Part, Stage
from ...model.reserve_rules import acceptance, supplied
from ...parts.catalogue import PARTS
from ..result import without_outputs

MARKET = "portfolio"
"""The one market of a site: its price is what the portfolio says."""
AMPLE = 1e8  # kW, more than any site trades
_KEPT = ("Conventions", "schema_version", "source", "currency", "timezone", "step_hours")
_TRADED = (
    *("capacity_price", "activation_price_up", "activation_price_down", "settlement"),
    *("volume_max", "block", "minimum_bid", "step", "pool", "closed", "committed"),
    *("shortfall_price", "first_stage", "availability"),
)  # of a product: how it is sold, which sites do not need to know


def split(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> dict[str, xr.DataTree]:
    """Divide a case into one case for each point of delivery.

    A site has the members of its pod, its row of `/connection`, what these members name (chargers,
    contracts of its plants), how reserves are delivered, and one market `portfolio` whose price is
    0 until a message says another. What names no member stays with the portfolio.

    Parameters
    ----------
    case : xarray.DataTree
        A case, or a result, of which only the inputs are kept; it is not changed.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    dict of str to xarray.DataTree
        The case of each pod, by its name, in the units of the case.

    Raises
    ------
    SchemaError
        The case does not fit, or cannot be divided: it has scenarios, several markets whose trades
        plans have to back, or a part that says of no member where it stands.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> sites = v2g.split(v2g.portfolio(vehicles=3, days=1, pods=5))
    >>> sorted(sites)
    ['depot-1', 'homes-1', 'office-1', 'park-1', 'shop-1']
    >>> sites["shop-1"]["energy"]["market"].values.tolist()
    ['portfolio']
    """
    division = Division.of(case, parts)
    return {pod: division.site([pod]) for pod in division.pods}


@dataclass(frozen=True)
class Division:
    """A case, and which members of its parts stand at which pod."""

    case: xr.DataTree
    inputs: Inputs
    homes: Mapping[str, Mapping[str, str]]
    """By part, the pod of each member; of a member of the portfolio it is empty."""

    @classmethod
    def of(cls, case: xr.DataTree, parts: Mapping[str, Part] = PARTS) -> "Division":
        """Find out where everything stands.

        Raises
        ------
        SchemaError
            The case does not fit, or cannot be divided.
        """
        return cls.of_inputs(case, inputs_of(case, parts))

    @classmethod
    def of_inputs(cls, case: xr.DataTree, inputs: Inputs) -> "Division":
        """Find out where everything stands in a case whose inputs are known.

        Raises
        ------
        SchemaError
            The case cannot be divided.
        """
        homes, problems = _homes(inputs)
        if problems := _undivided(inputs) + problems:
            raise SchemaError(problems, source=str(case.attrs.get("title") or "the case"))
        return cls(case, inputs, homes)

    @property
    def pods(self) -> list[str]:
        """Every point of delivery."""
        return [str(pod) for pod in self.inputs.pods]

    def site(self, pods: Collection[str]) -> xr.DataTree:
        """Return the case of some pods, which trade at one market of price 0."""
        groups = {}
        for name, of_member in self.homes.items():
            here = [member for member, pod in of_member.items() if pod in pods]
            if here:
                groups[name] = self._members(name, here)
        groups["energy"] = self._market(groups)
        if "reserve" in self.inputs.data:
            groups["reserve"] = self._reserve(groups)
        return self._tree(groups, ", ".join(pods))

    def portfolio(self) -> xr.DataTree:
        """Return what is left: markets, reserve bids, imbalance and what stands at no pod."""
        at_sites = {name for name, of in self.homes.items() if of and all(of.values())}
        groups = {}
        for name in self.inputs.data:
            if name in at_sites:
                continue
            members = [m for m, pod in self.homes.get(name, {}).items() if not pod]
            groups[name] = self._members(name, members if name in self.homes else None)
        if "reserve" in groups:
            groups["reserve"] = self._without_assets(groups["reserve"], ())
        if self.supplied:
            groups["connection"] = self._suppliers()
        tree = self._tree(groups, "the portfolio")
        tree.attrs["pods"] = "\n".join(self.pods)
        return tree

    def alone(self, pod: str) -> xr.DataTree:
        """Return the case of a pod that has the markets of the portfolio to itself.

        What belongs to no pod, as a contract of the portfolio, is not in it.
        """
        groups = {}
        for name in self.inputs.data:
            here = [m for m, home in self.homes.get(name, {}).items() if home == pod]
            if here or name not in self.homes:
                groups[name] = self._members(name, here if name in self.homes else None)
        if "reserve" in groups:
            groups["reserve"] = self._without_assets(groups["reserve"], groups)
        return self._tree(groups, f"{pod} alone")

    @property
    def supplied(self) -> list[str]:
        """Pods with a supply contract: what they exchange reaches no market."""
        connection = self.inputs.data.get("connection")
        if connection is None:
            return []
        return [str(p) for p in connection.indexes["pod"][supplied(connection).to_numpy()]]

    def _suppliers(self) -> xr.Dataset:
        """Return who has a supplier, which takes what reserves deliver there; its bill is the
        site's.
        """
        price = [0.0 if pod in self.supplied else np.nan for pod in self.pods]
        units = {"units": f"{self.inputs.calendar.currency}/MWh"}
        prices = {n: ("pod", price, units) for n in ("supply_price", "feed_in_price")}
        return xr.Dataset(prices, coords={"pod": self.pods})

    def _members(self, name: str, members: Iterable[str] | None) -> xr.Dataset:
        """Return the inputs of a part as the case has them, of some of its members."""
        part = self.inputs.parts[name]
        group = without_outputs(self.case.children[name].to_dataset(inherit=False), part.schema)
        if members is None:
            return group
        index = group.indexes[part.member]
        return group.sel({part.member: index[index.astype(str).isin(list(members))]})

    def _market(self, groups: Mapping[str, xr.Dataset]) -> xr.Dataset:
        """Return the market of a site; prices that its contracts refer to beside it, untraded."""
        money, time = self.inputs.calendar.currency, self.inputs.calendar.time
        energy = self.inputs.data.get("energy")
        referring = [n for n in groups if self.inputs.parts[n].stage is Stage.MARKET]
        names, prices = [MARKET], [np.zeros(len(time))]
        if energy is not None and referring:
            price = 1000.0 * (energy.price + xr.zeros_like(energy.time, float))
            names += [str(m) for m in energy.indexes["market"]]
            prices += [*price.transpose("market", "time").to_numpy()]
        limit = [AMPLE] + [0.0] * (len(names) - 1)
        return xr.Dataset(
            {
                "price": (("market", "time"), np.array(prices), {"units": f"{money}/MWh"}),
                "limit": ("market", limit, {"units": "kW"}),
            },
            coords={"market": names, "time": time},
        )

    def _reserve(self, groups: Mapping[str, xr.Dataset]) -> xr.Dataset:
        """Return how reserves are delivered; where a product is not bought, nothing is held."""
        group = self._without_assets(self._members("reserve", None), groups)
        bought = self.inputs.data["reserve"].volume_max
        most = xr.where(bought > 0, np.inf, 0.0).assign_attrs(units="kW")
        group = group.drop_vars(_TRADED, errors="ignore").assign(volume_max=most)
        if "accept_probability" not in group:
            return group
        likely = acceptance(self.inputs.data["reserve"]).assign_attrs(units="1")
        return group.assign(accept_probability=likely)

    def _without_assets(
        self, group: xr.Dataset, groups: Mapping[str, xr.Dataset] | tuple[()]
    ) -> xr.Dataset:
        """Return a group whose arrays by asset are those of the members that are here."""
        for name in self.inputs.data:
            member = self.inputs.parts[name].member
            if self.inputs.parts[name].stage is not Stage.ASSET or member not in group.dims:
                continue
            if name in groups and isinstance(groups, Mapping):
                group = group.sel({member: groups[name].indexes[member]})
            else:
                group = group.drop_dims(member)
        return group

    def _tree(self, groups: Mapping[str, xr.Dataset], what: str) -> xr.DataTree:
        """Return a case on the steps of the whole."""
        attrs = {n: x for n, x in self.case.attrs.items() if n in _KEPT}
        title = str(self.case.attrs.get("title") or "the case")
        attrs |= {"title": f"{title}: {what}"}
        attrs |= {"history": stamped(f"divided by v2g-linopy {package_version()}")}
        root = xr.Dataset(coords={"time": self.inputs.calendar.time}, attrs=attrs)
        return xr.DataTree.from_dict({"/": root, **{f"/{n}": d for n, d in groups.items()}})


def _homes(inputs: Inputs) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    """Return the pod of each member of every part that has members at pods."""
    homes: dict[str, dict[str, str]] = {}
    for part, d in inputs:
        if part.member == "pod" or part.stage is Stage.ASSET:
            pods = d.indexes["pod"] if part.member == "pod" else d["pod"].to_numpy()
            labels = [*d.indexes.get(part.member, ())]
            pods = np.broadcast_to(np.asarray(pods, dtype=object), (len(labels),))
            homes[part.name] = {str(m): str(p) for m, p in zip(labels, pods, strict=True)}
    named, problems = _named_by_assets(inputs, homes)
    return homes | named | _naming_assets(inputs, homes), problems


def _named_by_assets(
    inputs: Inputs, homes: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    """Members that assets name, as chargers, stand where those assets do."""
    found: dict[str, dict[str, str]] = {}
    problems = []
    for part, d in inputs:
        for field in (f for f in part.schema.inputs if f.of and part.stage is Stage.ASSET):
            if field.name not in d or field.of not in inputs.data:
                continue
            member = inputs.parts[field.of].member
            there = found.setdefault(
                field.of, {str(m): "" for m in inputs.data[field.of].indexes[member]}
            )
            names = (d[field.name] + xr.full_like(d["pod"], "", object)).to_numpy()
            for label, name in zip(d.indexes[part.member], map(str, names), strict=True):
                pod = homes[part.name][str(label)]
                if name and there[name] not in ("", pod):
                    detail = f"{name!r} serves {there[name]} and {pod}; sites share nothing"
                    problems.append(Problem(f"{part.name}.{field.name}", "pods", detail))
                elif name:
                    there[name] = pod
    return found, problems


def _naming_assets(
    inputs: Inputs, homes: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Members that name an asset, as contracts of a plant, stand where it does."""
    found = {}
    for part, d in inputs:
        if part.stage is not Stage.MARKET or part.member not in d.indexes:
            continue
        fields = [f for f in part.schema.inputs if f.name in d and f.of in homes]
        if not fields:
            continue
        where = {str(m): "" for m in d.indexes[part.member]}
        for field in fields:
            for label in d.indexes[part.member]:
                chosen = d[field.name]
                name = str(chosen.sel({part.member: label}).item() if chosen.dims else chosen)
                where[str(label)] = homes[field.of].get(name, "") or where[str(label)]
        found[part.name] = where
    return found


def _undivided(inputs: Inputs) -> list[Problem]:
    """Return why a case cannot be divided into sites and a portfolio."""
    problems = []
    if inputs.calendar.scenario is not None:
        detail = "sites plan for one future; divide a case without scenarios"
        problems.append(Problem("scenario", "sites", detail))
    energy = inputs.data.get("energy")
    if energy is not None and not bool(energy.virtual_bidding.any()):
        gates = ((energy.closed == 0) & (energy.limit > 0)).sum("market")
        if bool((gates > 1).any()):
            detail = (
                "several markets are open at once, and what each member draws and feeds in backs"
                " trades between them, which a plan does not show; give virtual_bidding 1, or one"
                " open market"
            )
            problems.append(Problem("energy.virtual_bidding", "sites", detail))
    assets = [part for part, _ in inputs if part.stage is Stage.ASSET]
    named = {f.of for part in assets for f in part.schema.inputs if f.of}
    known = {part.member for part, _ in inputs if part.stage is Stage.MARKET} | {"time"}
    for part, d in inputs:
        if part.stage < Stage.RULE or part.member == "pod" or part.name in named:
            continue
        used = {str(dim) for x in d.data_vars.values() for dim in x.dims} - {part.member}
        if part.stage is Stage.RISK or not used or not used <= known:
            detail = "cannot be divided among sites; leave it out, or solve the case as a whole"
            problems.append(Problem(f"/{part.name}", "sites", detail))
    if "flexibility" in inputs.data:
        problems.append(Problem("/flexibility", "sites", "holds plans already: solve it as it is"))
    return problems


def pods_in(tree: xr.DataTree, inputs: Inputs) -> list[str]:
    """Return the pods whose plans a portfolio needs: those that it was divided from, or has."""
    if told := str(tree.attrs.get("pods", "")):
        return told.split("\n")
    return list(dict.fromkeys(pod for d in inputs.data.values() for pod in pods_of(d)))
