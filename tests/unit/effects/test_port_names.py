"""A Service that is taken over keeps the names of its ports, for kube-proxy refuses connections while they change."""

from typing import Any

from mailhaul_operator.effects.ports import with_port_names_of


def _service(*ports: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Service", "spec": {"type": "ClusterIP", "ports": list(ports)}}


SMTP = {"name": "smtp", "protocol": "TCP", "port": 25, "targetPort": 2525}
SUBMISSION = {"name": "submission", "protocol": "TCP", "port": 587, "targetPort": 2587}


def test_a_lone_port_without_a_name_stays_without() -> None:
    live = _service({"port": 25, "targetPort": 25})
    assert with_port_names_of(live, _service(SMTP)) == _service({"protocol": "TCP", "port": 25, "targetPort": 2525})


def test_a_port_of_another_name_keeps_it() -> None:
    live = _service({"name": "mail", "protocol": "TCP", "port": 25, "targetPort": 25})
    assert with_port_names_of(live, _service(SMTP, SUBMISSION)) == _service({**SMTP, "name": "mail"}, SUBMISSION)


def test_where_several_ports_need_names_ours_are_taken() -> None:
    unnamed = _service({"port": 25, "targetPort": 25})
    assert with_port_names_of(unnamed, _service(SMTP, SUBMISSION)) == _service(SMTP, SUBMISSION)
    taken = _service({"name": "submission", "port": 25, "targetPort": 25})
    assert with_port_names_of(taken, _service(SMTP, SUBMISSION)) == _service(SMTP, SUBMISSION)


def test_a_port_of_another_number_and_other_objects_are_left_as_they_are() -> None:
    assert with_port_names_of(_service({"name": "x", "port": 26}), _service(SMTP)) == _service(SMTP)
    config: dict[str, Any] = {"kind": "ConfigMap", "data": {}}
    assert with_port_names_of({}, config) is config


def test_a_lone_port_that_has_no_name_on_either_side_is_no_error() -> None:
    bare = _service({"protocol": "TCP", "port": 70000, "targetPort": 2525})
    assert with_port_names_of(_service(), bare) == bare
