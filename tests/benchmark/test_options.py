"""Which options win, and what makes two runs the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from attrformer.benchmark.options import Overrides, configuration, fingerprint, flat, is_same, nested
from attrformer.benchmark.plan import Plan, load_plan
from attrformer.config import override, to_dict
from attrformer.errors import ConfigurationError
from attrformer.recommender import Config

MakePlan = Callable[..., Plan]


def write_chosen(folder: Path, row: str, text: str) -> None:
    (folder / "chosen" / "shop").mkdir(parents=True, exist_ok=True)
    (folder / "chosen" / "shop" / f"{row}.yaml").write_text(f"# Chosen.\nset: {{{text}}}\n", encoding="utf-8")


def test_later_layers_win(make_plan: MakePlan, tmp_path: Path) -> None:
    row = "name: mine, set: {training.epochs: 2, training.clip: 2}, on: {shop: {training.clip: 3, training.warm_up: 3}}"
    plan = make_plan(row, options="training.epochs: 1, training.patience: 1, training.warm_up: 1")

    def options(*settings: str) -> tuple[int, int, float, int]:
        training = configuration(plan, plan.rows[0], "shop", 5, Overrides(settings)).training
        return training.patience, training.epochs, training.clip, training.warm_up

    assert options() == (1, 2, 3.0, 3)
    write_chosen(tmp_path, "mine", "training.warm_up: 4, training.learning_rate: 3e-4")
    assert options() == (1, 2, 3.0, 4)
    assert options("training.warm_up=5") == (1, 2, 3.0, 5)
    config = configuration(plan, plan.rows[0], "shop", 5, Overrides(threads=3))
    assert (config.seed, config.training.threads, config.training.learning_rate) == (5, 3, 3e-4)


def test_a_trial_takes_the_place_of_what_was_chosen(make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan("name: mine", options="")
    write_chosen(tmp_path, "mine", "training.warm_up: 4")
    assert configuration(plan, plan.rows[0], "shop", 0, tried={}).training.warm_up == Config().training.warm_up
    assert configuration(plan, plan.rows[0], "shop", 0, tried={"training.warm_up": 6}).training.warm_up == 6


def test_a_search_on_another_dataset_counts_where_the_plan_says_so(tmp_path: Path) -> None:
    sources = "a: {folder: x}, b: {folder: x, chosen_on: a}, c: {folder: x}"
    (tmp_path / "plan.yaml").write_text(f"data: {{{sources}}}\nrows: [{{name: mine}}]\nchosen: {tmp_path}/chosen\n")
    plan = load_plan(tmp_path / "plan.yaml")

    def clips() -> list[float]:
        return [configuration(plan, plan.rows[0], source, 0).training.clip for source in "abc"]

    for source, clip in (("a", 2.0), ("b", 3.0)):
        (tmp_path / "chosen" / source).mkdir(parents=True)
        (tmp_path / "chosen" / source / "mine.yaml").write_text(f"set: {{training.clip: {clip}}}")
        assert clips() == [2.0, clip, Config().training.clip]


def test_a_row_like_another_keeps_its_own_difference(make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan("name: mine", "name: plain, like: mine, set: {target.strength: 0.0}", options="")
    write_chosen(tmp_path, "mine", "target.strength: 0.3, training.clip: 2")
    config = configuration(plan, plan.rows[1], "shop", 0)
    assert (config.target.strength, config.training.clip) == (0.0, 2.0)


def test_an_error_names_row_and_data(make_plan: MakePlan) -> None:
    plan = make_plan("name: mine, set: {training.epoch: 2}")
    with pytest.raises(ConfigurationError, match=r"Row 'mine' on 'shop': .*training\.epoch.* Did you mean"):
        configuration(plan, plan.rows[0], "shop", 0)


def test_nested_is_the_inverse_of_flat() -> None:
    values = to_dict(Config())
    assert nested([flat(values)]) == values
    with pytest.raises(ConfigurationError, match="'model' as a value too"):
        nested([{"model": 1, "model.width": 2}])


def test_the_fingerprint_is_that_of_before_some_options_came_and_were_renamed() -> None:
    digest = "68ea34d9"
    assert fingerprint(Config()) == digest
    changed = ("relations.cooccurrence_near.window=3", "model.similar_user_states=false", "relations.time_buckets=9")
    assert fingerprint(override(Config(), changed)) == "285cc38f"
    for other in ("training.metric=MRR@5", "evaluation.metrics=[NDCG]"):
        assert fingerprint(override(Config(), [other])) != digest


def test_the_fingerprint_knows_what_is_computed_and_not_how() -> None:
    base = fingerprint(Config())
    assert base == fingerprint(override(Config(), ["training.threads=7", "training.device=cpu"]))
    others = ("seed=1", "training.clip=3", "model.width=32", "relations.edges=null")
    assert len({base, *(fingerprint(override(Config(), [other])) for other in others)}) == 5


def test_options_of_the_target_count_where_they_are_read() -> None:
    for model, read in (("attrformer", True), ("sasrec", False)):
        before = override(Config(), [f"model.name={model}", "target.strength=0.15"])
        assert is_same(to_dict(before), override(Config(), [f"model.name={model}"])) is not read


def test_a_new_option_leaves_finished_runs_finished_while_it_has_its_default() -> None:
    config = override(Config(), ["training.threads=2"])
    stored = to_dict(Config())
    assert is_same(stored, config)
    del stored["training"]["clip"]
    assert is_same(stored, config)
    assert not is_same(stored, override(config, ["training.clip=1"]))
    assert not is_same(stored, override(config, ["model.width=32"]))
    stored["training"]["forgotten"] = 3
    assert is_same(stored, config)


@pytest.mark.parametrize(("model", "same"), [("sasrec", True), ("attrformer", False)])
def test_switches_of_relations_count_where_the_model_reads_them(model: str, same: bool) -> None:
    config = override(Config(), [f"model.name={model}"])
    for change in (
        "relations.repeat=false",
        "relations.cooccurrence_next.enabled=true",
        "relations.similar_users_count=7",
    ):
        assert is_same(to_dict(override(config, [change])), config) is same
    assert not is_same(to_dict(override(config, ["model.width=32"])), config)
    assert not is_same(to_dict(override(config, ["training.epochs=3"])), config)


@pytest.mark.parametrize(("model", "same"), [("attrformer", False), ("sasrec", True)])
def test_a_relation_that_came_later_and_is_on_makes_another_run_where_it_is_read(model: str, same: bool) -> None:
    config = override(Config(), [f"model.name={model}"])
    stored = to_dict(config)
    del stored["relations"]["time_bucket"]
    assert is_same(stored, config) is same
    assert is_same(stored, override(config, ["relations.time_bucket=false"])) is same
    del stored["relations"]["indirect"]
    stored["relations"]["time_bucket"] = True
    assert is_same(stored, config)


@pytest.mark.parametrize(("model", "read"), [("attrformer", True), ("difsr", True), ("sasrec", False)])
def test_runs_of_before_the_order_of_ids_were_without_it(model: str, read: bool) -> None:
    config = override(Config(), [f"model.name={model}"])
    stored = to_dict(config)
    del stored["relations"]["id_order"]
    assert is_same(stored, override(config, ["relations.id_order=false"]))
    assert is_same(stored, override(config, ["relations.id_order=true"])) is not read
    # Left open, AttrFormer alone may read it.
    assert is_same(stored, override(config, ["relations.id_order=null"])) is (model != "attrformer")


def test_options_of_a_relation_count_where_it_is_on() -> None:
    config = override(Config(), ["model.name=attrformer"])
    for change in (
        "relations.cooccurrence_next.window=3",
        "relations.time_buckets=9",
        "relations.similar_users_anchors=2",
    ):
        off = [
            "relations.cooccurrence_next.enabled=false",
            "relations.time_bucket=false",
            "relations.similar_users=false",
        ]
        assert is_same(to_dict(override(config, [*off, change])), override(config, off))
        on = ["relations.cooccurrence_next.enabled=true", "relations.time_bucket=true", "relations.similar_users=true"]
        assert not is_same(to_dict(override(config, [*on, change])), override(config, on))


def test_a_model_without_training_reads_its_own_number_of_neighbours() -> None:
    config = override(Config(), ["model.name=vsknn"])
    assert is_same(to_dict(override(config, ["relations.similar_users_count=7"])), config)
    assert not is_same(to_dict(override(config, ["model.count=7"])), config)


def test_a_stored_value_that_cannot_be_used_any_more_makes_another_run() -> None:
    stored = to_dict(Config())
    stored["relations"]["similar_users_anchors"] = -1
    assert not is_same(stored, Config())


@pytest.mark.parametrize(("model", "same"), [("attrformer", False), ("sasrec", True)])
def test_a_switch_that_had_another_kind_of_value_counts_where_it_is_read(model: str, same: bool) -> None:
    config = override(Config(), [f"model.name={model}"])
    stored = to_dict(config)
    stored["relations"]["indirect"] = None
    assert is_same(stored, config) is same


def test_a_bound_on_epochs_counts_only_where_it_was_reached() -> None:
    stored, more = to_dict(override(Config(), ["training.epochs=40"])), override(Config(), ["training.epochs=80"])
    assert is_same(stored, more, epochs=38)
    assert not is_same(stored, more, epochs=40)
    assert not is_same(stored, more)
    assert not is_same(stored, override(Config(), ["training.epochs=30"]), epochs=38)
    assert is_same(stored, override(Config(), ["training.epochs=39"]), epochs=38)
    # Where the rate falls with the bound, another bound is another training.
    falling = [override(Config(), [f"training.epochs={n}", "training.schedule=cosine"]) for n in (40, 80)]
    assert not is_same(to_dict(falling[0]), falling[1], epochs=38)
