"""What the template means: who may do what, what is lost when something fails, and what the world can reach."""

import json
from typing import Any

import pytest

from infra.catalog import DEFAULT_PATH, FUNCTIONS, NOTICES, ROUTES, SCHEDULES, function_named
from infra.cron import cron_expression
from infra.needs import EDGE, EDGE_HEADER, FEED, NEEDS
from tests.infra.conftest import Assembly

LAMBDA = "AWS::Lambda::Function"
OURS = {function.description: function for function in FUNCTIONS}


def our_functions(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """The functions of the catalog, by their names there."""
    found = assembly.resources(LAMBDA).items()
    return {OURS[one["Description"]].name: {"id": name, **one} for name, one in found if one.get("Description") in OURS}


def secret_names(assembly: Assembly) -> dict[str, str]:
    """The secrets of needs.py by logical id."""
    from infra.needs import SECRETS

    described = {secret.description: secret.name for secret in SECRETS}
    found = assembly.resources("AWS::SecretsManager::Secret").items()
    return {name: described[one["Description"]] for name, one in found}


def readable_secrets(assembly: Assembly, role: str) -> set[str]:
    """Which secrets the policies of a role let it read; a `*` would be all."""
    names, readable = secret_names(assembly), set[str]()
    for policy in assembly.resources("AWS::IAM::Policy").values():
        if {"Ref": role} not in policy["Roles"]:
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            if "secretsmanager" in json.dumps(statement["Action"]):
                text = json.dumps(statement["Resource"])
                assert '"*"' not in text
                readable |= {name for logical, name in names.items() if logical in text}
    return readable


def role_of(function: dict[str, Any]) -> str:
    role: str = function["Role"]["Fn::GetAtt"][0]
    return role


def test_the_functions_of_the_template_are_those_of_the_catalog(either: Assembly) -> None:
    deployed = our_functions(either)
    assert set(deployed) == {function.name for function in FUNCTIONS}
    strangers = [one for one in either.resources(LAMBDA).values() if one.get("Description") not in OURS]
    assert len(strangers) == 1  # the kit's own copier of the dashboard's files
    for name, one in deployed.items():
        function = function_named(name)
        assert (one["Timeout"], one["MemorySize"]) == (function.timeout_seconds, function.memory_megabytes)
        assert one.get("ReservedConcurrentExecutions") == function.concurrency_reserved


def test_a_function_runs_on_arm_and_is_made_of_its_folder_the_library_and_what_that_imports(either: Assembly) -> None:
    for name, one in our_functions(either).items():
        assert (one["Runtime"], one["Architectures"], one["Handler"]) == ("python3.13", ["arm64"], "handler.handler")
        # The third is AWS's reader of secrets.
        assert len(one["Layers"]) == 3 + len(NEEDS[name].layers)


def test_the_routes_of_the_api_are_those_of_the_catalog(defaults: Assembly) -> None:
    keys = {one["RouteKey"] for one in defaults.resources("AWS::ApiGatewayV2::Route").values()}
    listed = {route.path if route.path == DEFAULT_PATH else f"{route.method} {route.path}" for route in ROUTES}
    assert keys == listed


def test_a_route_goes_to_the_function_that_the_catalog_names(defaults: Assembly) -> None:
    integrations = defaults.resources("AWS::ApiGatewayV2::Integration")
    ids = {one["id"]: name for name, one in our_functions(defaults).items()}
    for route in defaults.resources("AWS::ApiGatewayV2::Route").values():
        integration = integrations[route["Target"]["Fn::Join"][1][1]["Ref"]]
        function = ids[integration["IntegrationUri"]["Fn::GetAtt"][0]]
        listed = [one.function for one in ROUTES if route["RouteKey"] in {one.path, f"{one.method} {one.path}"}]
        assert listed == [function]


def test_a_function_needs_one_permission_however_many_routes_it_has(defaults: Assembly) -> None:
    allowed = [one["FunctionName"]["Fn::GetAtt"][0] for one in defaults.resources("AWS::Lambda::Permission").values()]
    assert len(allowed) == len(set(allowed)) == len({route.function for route in ROUTES}) + len(NOTICES)


def test_every_schedule_of_the_catalog_runs_its_function_and_names_its_time(either: Assembly) -> None:
    ids = {one["id"]: name for name, one in our_functions(either).items()}
    found = {}
    for one in either.resources("AWS::Scheduler::Schedule").values():
        sent = json.loads(one["Target"]["Input"])
        assert sent["time"] == "<aws.scheduler.scheduled-time>"
        assert (one["State"], one["ScheduleExpressionTimezone"]) == ("ENABLED", "Etc/UTC")
        found[sent["job"]] = (ids[one["Target"]["Arn"]["Fn::GetAtt"][0]], one["ScheduleExpression"])
    assert found == {
        schedule.job: (schedule.function, cron_expression(schedule.every_minutes, schedule.after_minutes))
        for schedule in SCHEDULES
    }


def test_every_schedule_has_a_dead_letter_queue_and_tries_again(either: Assembly) -> None:
    queues = set(either.resources("AWS::SQS::Queue"))
    for one in either.resources("AWS::Scheduler::Schedule").values():
        assert one["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0] in queues
        assert one["Target"]["RetryPolicy"]["MaximumRetryAttempts"] > 0


def test_what_a_function_could_not_do_is_put_aside_and_not_lost(either: Assembly) -> None:
    queues = set(either.resources("AWS::SQS::Queue"))
    configured = {
        one["FunctionName"]["Ref"]: one["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for one in either.resources("AWS::Lambda::EventInvokeConfig").values()
    }
    for one in our_functions(either).values():
        assert one["DeadLetterConfig"]["TargetArn"]["Fn::GetAtt"][0] in queues
        assert configured[one["id"]] in queues


def test_the_scheduler_may_start_the_scheduled_functions_and_no_others(either: Assembly) -> None:
    ids = {one["id"]: name for name, one in our_functions(either).items()}
    invoked = {
        resource["Fn::GetAtt"][0]
        for policy in either.resources("AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
        for resource in statement["Resource"]
    }
    assert {ids[name] for name in invoked} == {schedule.function for schedule in SCHEDULES}


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_a_function_reads_the_secrets_that_it_uses_and_no_other(either: Assembly, name: str) -> None:
    function = our_functions(either)[name]
    made = set(secret_names(either).values())
    assert readable_secrets(either, role_of(function)) == set(NEEDS[name].secrets) & made


def test_a_function_has_a_role_of_its_own(either: Assembly) -> None:
    roles = [role_of(one) for one in our_functions(either).values()]
    assert len(roles) == len(set(roles))


def tasks(assembly: Assembly, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The tasks whose one container has that name (`feed`, `gateway`), each with the container."""
    found = assembly.resources("AWS::ECS::TaskDefinition").values()
    pairs = [(task, container) for task in found for container in task["ContainerDefinitions"]]
    return [(task, container) for task, container in pairs if container["Name"] == name]


def plain(container: dict[str, Any]) -> dict[str, Any]:
    """The container's environment, without its secrets."""
    return {variable["Name"]: variable["Value"] for variable in container["Environment"]}


def test_there_is_a_feed_for_each_shard_and_it_knows_which(either: Assembly) -> None:
    shards = either.settings.feed_shards
    told = [plain(container).get("FEED_SHARD", "1/1") for _, container in tasks(either, "feed")]
    assert sorted(told) == [f"{number}/{shards}" for number in range(1, shards + 1)]


def test_a_feed_gets_its_secrets_as_it_starts_and_its_own_role_reads_none(either: Assembly) -> None:
    made = set(secret_names(either).values())
    for task, container in tasks(either, "feed"):
        assert readable_secrets(either, task["ExecutionRoleArn"]["Fn::GetAtt"][0]) == set(FEED.secrets) & made
        assert readable_secrets(either, task["TaskRoleArn"]["Fn::GetAtt"][0]) == set()
        assert {one["Name"] for one in container["Secrets"]} >= {"SUPABASE_URL", "SUPABASE_SECRET_KEY"}


def test_a_deployment_overlaps_and_goes_back_by_itself(either: Assembly) -> None:
    services = either.resources("AWS::ECS::Service").values()
    for service in services:
        deployment = service["DeploymentConfiguration"]
        assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
        assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    counts = sorted(service["DesiredCount"] for service in services)
    assert counts == [1] * either.settings.feed_shards + [2] * bool(either.settings.live_gateways)


def test_no_task_can_change_its_machine_or_is_anyone_there(either: Assembly) -> None:
    for task, container in [*tasks(either, "feed"), *tasks(either, "gateway")]:
        assert container["ReadonlyRootFilesystem"] is True
        assert container["User"] == "10001"
        assert container["LinuxParameters"]["InitProcessEnabled"] is True
        assert task["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}


def test_a_feed_has_time_to_wait_for_its_successor_and_to_flush(either: Assembly) -> None:
    for _, container in tasks(either, "feed"):
        assert container["StopTimeout"] == 120
        assert 60 <= int(plain(container)["FEED_HANDOVER_SECONDS"]) <= 120 - 15
        assert container["RestartPolicy"]["Enabled"] is True
        assert container["HealthCheck"]["Command"] == ["CMD", "python", "-m", "feed.health_check"]


def test_nobody_comes_in_to_the_feed(defaults: Assembly) -> None:
    groups = defaults.resources("AWS::EC2::SecurityGroup").values()
    assert all("SecurityGroupIngress" not in one for one in groups)
    assert not defaults.resources("AWS::EC2::SecurityGroupIngress")
    assert not defaults.resources("AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert not defaults.resources("AWS::ElastiCache::ReplicationGroup")
    ((_, container),) = tasks(defaults, "feed")
    assert plain(container)["FEED_HOST"] == "127.0.0.1"


def groups_let_in(assembly: Assembly, group: str) -> set[str]:
    """Whom a security group lets in: logical ids of other groups."""
    return {
        rule["SourceSecurityGroupId"]["Fn::GetAtt"][0]
        for rule in assembly.resources("AWS::EC2::SecurityGroupIngress").values()
        if rule["GroupId"]["Fn::GetAtt"][0] == group
    }


def doors(assembly: Assembly) -> dict[str, str]:
    """The security groups' logical ids by what they say of themselves."""
    return {one["GroupDescription"]: name for name, one in assembly.resources("AWS::EC2::SecurityGroup").items()}


@pytest.mark.parametrize("fixture", ["everything", "feed_serving"])
def test_the_balancer_is_open_to_its_own_network_only(request: pytest.FixtureRequest, fixture: str) -> None:
    assembly: Assembly = request.getfixturevalue(fixture)
    (balancer,) = assembly.resources("AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    assert balancer["Scheme"] == "internal"
    for group in assembly.resources("AWS::EC2::SecurityGroup").values():
        for rule in group.get("SecurityGroupIngress", []):
            assert rule["CidrIp"] == {"Fn::GetAtt": [next(iter(assembly.resources("AWS::EC2::VPC"))), "CidrBlock"]}
    for rule in assembly.resources("AWS::EC2::SecurityGroupIngress").values():
        assert "SourceSecurityGroupId" in rule


def test_the_stream_is_behind_the_same_address_and_never_cached(everything: Assembly) -> None:
    (distribution,) = everything.resources("AWS::CloudFront::Distribution").values()
    config = distribution["DistributionConfig"]
    (origin,) = [one["Id"] for one in config["Origins"] if "VpcOriginConfig" in one]
    ways = {one["PathPattern"]: one for one in config["CacheBehaviors"] if one["TargetOriginId"] == origin}
    assert ways.keys() == {"/stream", "/ws"}
    caching_disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # AWS's own name for it
    assert {one["CachePolicyId"] for one in ways.values()} == {caching_disabled}


def test_without_gateways_the_balancer_comes_to_the_feed(feed_serving: Assembly) -> None:
    known = doors(feed_serving)
    assert groups_let_in(feed_serving, known["Out to the exchanges and the store; nobody in."]) == {
        known["CloudFront in; out to who serves the stream."]
    }
    ((_, container),) = tasks(feed_serving, "feed")
    assert plain(container)["FEED_HOST"] == "0.0.0.0"
    assert "REDIS_URL" not in plain(container)
    assert not feed_serving.resources("AWS::ElastiCache::ReplicationGroup")


def test_with_gateways_it_comes_to_them_and_nobody_to_the_feeds(everything: Assembly) -> None:
    known = doors(everything)
    assert groups_let_in(everything, known["The balancer in; out to the ring."]) == {
        known["CloudFront in; out to who serves the stream."]
    }
    assert not groups_let_in(everything, known["Out to the exchanges and the store; nobody in."])
    assert {plain(container)["FEED_HOST"] for _, container in tasks(everything, "feed")} == {"127.0.0.1"}
    (target,) = everything.resources("AWS::ElasticLoadBalancingV2::TargetGroup").values()
    assert target["HealthCheckPath"] == "/health"


def test_feeds_and_gateways_meet_in_a_ring_that_only_they_reach(everything: Assembly) -> None:
    known = doors(everything)
    assert groups_let_in(everything, known["Feeds and gateways in, nobody out."]) == {
        known["Out to the exchanges and the store; nobody in."],
        known["The balancer in; out to the ring."],
    }
    (ring,) = everything.resources("AWS::ElastiCache::ReplicationGroup").values()
    assert (ring["TransitEncryptionEnabled"], ring["AtRestEncryptionEnabled"]) == (True, True)
    assert (ring["MultiAZEnabled"], ring["NumCacheClusters"]) == (True, 2)
    urls = [plain(one)["REDIS_URL"] for name in ("feed", "gateway") for _, one in tasks(everything, name)]
    assert len(urls) == everything.settings.feed_shards + 1
    assert all(url == urls[0] and url["Fn::Join"][1][0] == "rediss://" for url in urls)


def test_a_gateway_holds_no_key_and_may_do_nothing(everything: Assembly) -> None:
    ((task, container),) = tasks(everything, "gateway")
    assert container["EntryPoint"] == ["python", "-m", "feed.live_gateway"]
    assert "Secrets" not in container
    assert plain(container).keys() == {"LOG_LEVEL", "FEED_HOST", "FEED_PORT", "REDIS_URL"}
    assert readable_secrets(everything, task["ExecutionRoleArn"]["Fn::GetAtt"][0]) == set()
    role = task["TaskRoleArn"]["Fn::GetAtt"][0]
    assert all({"Ref": role} not in one["Roles"] for one in everything.resources("AWS::IAM::Policy").values())


def test_there_is_no_nat_gateway_to_pay_for(either: Assembly) -> None:
    assert not either.resources("AWS::EC2::NatGateway")


def test_every_bucket_is_private_encrypted_and_spoken_to_over_tls(either: Assembly) -> None:
    buckets = either.resources("AWS::S3::Bucket")
    policies = json.dumps(list(either.resources("AWS::S3::BucketPolicy").values()))
    assert len(buckets) >= 2
    for name, one in buckets.items():
        assert set(one["PublicAccessBlockConfiguration"].values()) == {True}
        assert "BucketEncryption" in one
        assert name in policies
    assert policies.count('"aws:SecureTransport": "false"') == len(buckets)


def test_nothing_is_granted_to_everyone(either: Assembly) -> None:
    for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy", "AWS::Lambda::Permission"):
        for one in either.resources(kind).values():
            for statement in one.get("PolicyDocument", {}).get("Statement", [one]):
                assert statement.get("Effect") == "Deny" or "*" not in json.dumps(statement["Principal"])
    assert not either.resources("AWS::Lambda::Url")


def test_every_path_of_the_catalog_reaches_the_api_and_no_file_of_the_dashboard_does(either: Assembly) -> None:
    from fnmatch import fnmatchcase

    from infra.bundle import ROOT
    from infra.parts.dashboard import path_patterns

    (distribution,) = either.resources("AWS::CloudFront::Distribution").values()
    patterns = {one["PathPattern"] for one in distribution["DistributionConfig"]["CacheBehaviors"]}
    assert patterns - {"/stream", "/ws"} == set(path_patterns())
    assert len(patterns) <= 25  # CloudFront's own limit
    for route in ROUTES:
        assert route.path == DEFAULT_PATH or any(fnmatchcase(route.path, pattern) for pattern in patterns), route.path
    for file in (ROOT / "dashboard").rglob("*"):
        path = f"/{file.relative_to(ROOT / 'dashboard')}"
        assert not any(fnmatchcase(path, pattern) for pattern in patterns), path


def test_readers_of_a_rest_api_show_a_key_and_health_needs_none(everything: Assembly) -> None:
    methods = everything.resources("AWS::ApiGateway::Method").values()
    needing = [one for one in methods if one.get("ApiKeyRequired")]
    assert (
        len(needing) == len([route for route in ROUTES if route.function == "api" and "/health" not in route.path]) - 1
    )
    assert everything.resources("AWS::ApiGateway::UsagePlanKey")
    assert everything.resources("AWS::WAFv2::WebACLAssociation")


def test_every_alarm_reaches_the_topic_and_names_its_section_of_the_runbook(either: Assembly) -> None:
    (topic,) = either.resources("AWS::SNS::Topic")
    alarms = either.resources("AWS::CloudWatch::Alarm").values()
    assert len(alarms) >= 6
    for one in alarms:
        assert one["AlarmActions"] == one["OKActions"] == [{"Ref": topic}]
        assert "docs/runbook-aws.md#" in one["AlarmDescription"]


def test_a_feed_that_says_nothing_is_an_alarm(either: Assembly) -> None:
    (alarm,) = [
        one for one in either.resources("AWS::CloudWatch::Alarm").values() if one.get("MetricName") == "FeedAgeSeconds"
    ]
    assert alarm["TreatMissingData"] == "breaching"


def test_no_metric_is_by_symbol(either: Assembly) -> None:
    for one in either.resources("AWS::CloudWatch::Alarm").values():
        if one.get("Namespace") == "MarketDataEngine":
            assert one["Dimensions"] == [{"Name": "service", "Value": "marketdata"}]


def test_every_log_ends(either: Assembly) -> None:
    groups = either.resources("AWS::Logs::LogGroup").values()
    assert groups
    assert all(one["RetentionInDays"] == either.settings.log_days for one in groups)


def test_an_export_is_deleted_after_its_days(everything: Assembly) -> None:
    rules = [
        rule
        for one in everything.resources("AWS::S3::Bucket").values()
        for rule in one.get("LifecycleConfiguration", {}).get("Rules", [])
    ]
    assert everything.settings.export_days in {rule["ExpirationInDays"] for rule in rules}


def edge_header(assembly: Assembly) -> dict[str, Any]:
    """What the distribution adds to each request that it hands on to the API."""
    (distribution,) = assembly.resources("AWS::CloudFront::Distribution").values()
    found = [
        one["OriginCustomHeaders"]
        for one in distribution["DistributionConfig"]["Origins"]
        if "OriginCustomHeaders" in one
    ]
    ((header,),) = found
    return dict(header)


def test_cloudfront_proves_itself_to_the_functions_behind_routes_and_to_no_others(either: Assembly) -> None:
    assert edge_header(either)["HeaderName"] == EDGE_HEADER
    assert {name for name, needs in NEEDS.items() if EDGE in needs.secrets} == {route.function for route in ROUTES}


def test_no_secret_is_in_the_template(either: Assembly) -> None:
    for one in either.resources("AWS::SecretsManager::Secret").values():
        if "SecretString" in one:
            assert set(json.loads(one["SecretString"]).values()) == {""}
        else:
            assert set(json.loads(one["GenerateSecretString"]["SecretStringTemplate"]).values()) <= {""}
    text = either.template_file.read_text()
    # What is resolved at deployment is shown where it is used: CloudFront's header alone, which opens nothing.
    assert text.count("{{resolve:") == 1
    assert "{{resolve:secretsmanager:" in json.dumps(edge_header(either))
    assert "sb_secret_" not in text
    assert "eyJ" not in text


def test_a_function_knows_where_its_secrets_are_and_not_what_they_say(either: Assembly) -> None:
    secret_settings = {"SUPABASE_SECRET_KEY", "CRON_SECRET", "INGEST_API_KEYS", "CURSOR_SECRET", "EDGE_SECRET"}
    secret_settings |= {"OANDA_TOKEN"}
    for one in our_functions(either).values():
        variables = one["Environment"]["Variables"]
        assert "MARKETDATA_SECRETS" in variables
        assert not secret_settings & set(variables)
    for _, container in [*tasks(either, "feed"), *tasks(either, "gateway")]:
        assert not secret_settings & plain(container).keys()
