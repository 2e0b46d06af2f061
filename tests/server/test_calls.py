from __future__ import annotations

from typing import Any

from attrformer.server.calls import EXPLAIN, RECOMMEND, SIMILAR, Call, Joint, Share, join


def recommend(**arguments: Any) -> Call:
    return Call(RECOMMEND, arguments)


def test_users_with_the_same_options_are_asked_about_once() -> None:
    calls = [recommend(users=["b", "a"], k=3), recommend(users=["a", "c"], k=3)]
    (joint,) = join(calls)
    assert joint.call == recommend(users=["b", "a", "c"], k=3)
    assert joint.shares == (Share(0, {"b": None, "a": None}), Share(1, {"a": None, "c": None}))


def test_histories_without_names_keep_their_own_numbers() -> None:
    calls = [recommend(histories=[["i"], []]), recommend(histories=[["j"]])]
    (joint,) = join([*calls, recommend(histories=[["i", "j"]])])
    assert joint.call == recommend(histories=[["i"], [], ["j"], ["i", "j"]])
    assert joint.shares == (Share(0, {"0": 0, "1": 1}), Share(1, {"2": 0}), Share(2, {"3": 0}))


def test_one_name_for_two_people_is_never_joined() -> None:
    calls = [
        recommend(histories={"me": ["i"]}),
        recommend(histories={"me": ["j"]}),
        recommend(histories={"you": ["k"]}),
    ]
    joints = join(calls)
    assert [joint.call.arguments["histories"] for joint in joints] == [{"me": ["i"], "you": ["k"]}, {"me": ["j"]}]


def test_attributes_are_joined_where_their_values_are_of_one_type() -> None:
    def of(name: str, age: Any) -> Call:
        return recommend(histories={name: ["i"]}, user_attributes={name: {"age": age}})

    joints = join([of("a", 20), of("b", 30), of("c", "40")])
    assert [joint.call.arguments["user_attributes"] for joint in joints] == [
        {"a": {"age": 20}, "b": {"age": 30}},
        {"c": {"age": "40"}},
    ]


def test_what_differs_in_an_option_stays_apart() -> None:
    calls = [
        recommend(users=["a"], k=3),
        recommend(users=["b"], k=4),
        recommend(users=["b"], k=3, candidates=["i"]),
        Call(EXPLAIN, {"users": ["b"], "k": 3}),
        Call(SIMILAR, {"items": ["b"], "k": 3}),
        Call(SIMILAR, {"items": ["b"], "k": 3, "by": "cooccurrence_near"}),
    ]
    assert join(calls) == [Joint(call, (Share(place, None),)) for place, call in enumerate(calls)]


def test_ids_of_two_types_stay_apart() -> None:
    assert len(join([recommend(users=["1"]), recommend(users=[1]), recommend(users=["2", 3])])) == 3


def test_a_number_that_the_answer_writes_otherwise_stays_alone() -> None:
    assert len(join([recommend(users=["01"]), recommend(users=["2"]), recommend(users=["3"])])) == 2


def test_warnings_are_not_shared() -> None:
    assert len(join([recommend(users=["a"], on_unknown="warn"), recommend(users=["b"], on_unknown="warn")])) == 2
    assert len(join([recommend(users=["a"], on_unknown="skip"), recommend(users=["b"], on_unknown="skip")])) == 1


def test_a_call_says_how_many_it_asks_about() -> None:
    asked = [recommend(users=["a", "b"]), recommend(histories=[[]]), Call(SIMILAR, {"items": ["x", "y", "z"]})]
    assert [call.asked for call in asked] == [2, 1, 3]
