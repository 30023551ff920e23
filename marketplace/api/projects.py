"""Projects and their versions."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.queries import requester_for
from marketplace.api.asks import (
    EmptyAsk,
    InstructionsAsk,
    InterfaceAsk,
    LabellingConfigAsk,
    ProjectAsk,
    ProjectNameAsk,
    VersionAsk,
    VersionDraftAsk,
)
from marketplace.api.shapes import (
    LabellingConfigShape,
    ProjectShape,
    VersionShape,
    labelling_config_shape,
    project_shape,
    version_shape,
)
from marketplace.batches.queries import VersionAnswers, answers_by_version
from marketplace.batches.states import BatchState
from marketplace.pages.markdown import fresh_html_of
from marketplace.projects.changes import Change, Kind, Line, What, instruction_changes, interface_changes
from marketplace.projects.commands import (
    add_version,
    change_version,
    checked_interface,
    create_project,
    publish_version,
    rename_project,
)
from marketplace.projects.label_studio.configs import interface_of
from marketplace.projects.queries import project_for, projects_of, version_of
from marketplace.projects.starters import Starter, starters
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import again, idempotency_key, once, respond
from marketplace.rest.errors import Malformed
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.queries.stale import LOOKED_AT, Against, stale_versions


class StarterShape(serializers.Serializer[Any]):
    type = serializers.CharField(help_text="The answer type that it shows")
    title = serializers.CharField()
    summary = serializers.CharField()
    interface = serializers.DictField(help_text="In its normal form")
    instructions = serializers.CharField(help_text="Markdown")
    sample = serializers.DictField(help_text="Data of a task to look at; pictures, sounds and films are left out")
    on_pages = serializers.BooleanField(
        help_text="Whether workers can answer it on this site's pages, and not only with tools over the API"
    )


class StartersShape(serializers.Serializer[Any]):
    starters = StarterShape(many=True)


class InterfaceShape(serializers.Serializer[Any]):
    interface = serializers.DictField(help_text="In its normal form, with every default filled in")


class InstructionsShape(serializers.Serializer[Any]):
    html = serializers.CharField(allow_blank=True, help_text="As workers are shown it; safe to put into a page")


class InterfaceChangeShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=[*Kind])
    place = serializers.ListField(
        child=serializers.CharField(), help_text='By names, as ["answer", "label", "labels", "cat", "definition"]'
    )
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class InstructionLineShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=[*Kind], allow_null=True, help_text="null for a line that both have")
    text = serializers.CharField(allow_null=True, allow_blank=True, help_text="null where equal lines are left out")


class VersionChangesShape(serializers.Serializer[Any]):
    since = serializers.IntegerField(allow_null=True, help_text="null where there is no earlier version")
    number = serializers.IntegerField()
    interface = InterfaceChangeShape(many=True)
    instructions = InstructionLineShape(many=True)


class BatchAnswersShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=BatchState.choices)
    answers = serializers.IntegerField()


class AffectedShape(serializers.Serializer[Any]):
    field = serializers.CharField()
    label = serializers.CharField(allow_null=True, help_text="null where it is the whole question")  # type: ignore[assignment]
    what = serializers.ChoiceField(choices=list(What), help_text="In the latest published version")
    answers = serializers.IntegerField(help_text=f"That say it, of the newest {LOOKED_AT}")


class VersionAnswersShape(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    answers = serializers.IntegerField(help_text="Given under this version, judged or not")
    stale = serializers.BooleanField(help_text="There are some, and a later version is published")
    batches = BatchAnswersShape(many=True)
    affected = AffectedShape(many=True, help_text="Of stale ones: what they say that is gone or means something else")


class AnswersByVersionShape(serializers.Serializer[Any]):
    versions = VersionAnswersShape(many=True)


def starter_shape(starter: Starter) -> dict[str, Any]:
    return {
        "type": starter.type,
        "title": str(starter.title),
        "summary": str(starter.summary),
        "interface": checked_interface(starter.interface),
        "instructions": starter.instructions,
        "sample": starter.sample,
        "on_pages": starter.here,
    }


def change_shape(change: Change) -> dict[str, Any]:
    return {"kind": change.kind, "place": change.place, "before": change.before, "after": change.after}


def line_shape(line: Line) -> dict[str, Any]:
    return {"kind": line.kind, "text": line.text}


def version_answers_shape(under: VersionAnswers, against: Sequence[Against]) -> dict[str, Any]:
    return {
        "version": under.version,
        "answers": under.answers,
        "stale": under.stale,
        "batches": [
            {"id": one.public_id, "name": one.name, "state": one.state, "answers": one.answers} for one in under.batches
        ],
        "affected": [{**asdict(one.change), "answers": one.answers} for one in against],
    }


class StartersView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Where a project can begin: an interface and instructions for each answer type",
        tags=["projects"],
        responses=StartersShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        return respond({"starters": [starter_shape(one) for one in starters().values()]})


class InterfaceCheckView(APIView):
    """Nothing is kept of what it is asked, not even the answer: the same question has the same answer."""

    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="The normal form of an interface, or what is wrong with it; nothing is kept",
        tags=["projects"],
        request=InterfaceAsk,
        responses=InterfaceShape,
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = InterfaceAsk.of(request)
        idempotency_key(request)
        return respond({"interface": checked_interface(ask["interface"])})


class InstructionsPreviewView(APIView):
    """As `InterfaceCheckView`."""

    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Instructions as workers are shown them; nothing is kept",
        tags=["projects"],
        request=InstructionsAsk,
        responses=InstructionsShape,
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = InstructionsAsk.of(request)
        idempotency_key(request)
        return respond({"html": fresh_html_of(ask["instructions"])})


class ProjectsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="List projects", tags=["projects"], **listing(ProjectShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, projects_of(request.user.pk).select_related("requester"), project_shape)

    @extend_schema(
        summary="Create a project with a first draft version",
        tags=["projects"],
        request=ProjectAsk,
        responses={201: ProjectShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = ProjectAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                project_shape(
                    create_project(
                        requester_id=requester_for(request.user.pk, ask["requester"], at_least="manager").pk,
                        name=ask["name"],
                        interface=ask["interface"],
                        instructions=ask["instructions"],
                    )
                ),
                status=201,
            )


class ProjectView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="One project", tags=["projects"], responses=ProjectShape)
    def get(self, request: KeyRequest, project: UUID) -> HttpResponse:
        return respond(project_shape(project_for(request.user.pk, project)))

    @extend_schema(summary="Rename a project", tags=["projects"], request=ProjectNameAsk, responses=ProjectShape)
    def patch(self, request: KeyRequest, project: UUID) -> HttpResponse:
        ask = ProjectNameAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                project_shape(
                    rename_project(project=project_for(request.user.pk, project, at_least="manager"), name=ask["name"])
                )
            )


class AnswersByVersionView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="How many answers were given under each version, and which are stale",
        tags=["projects"],
        responses=AnswersByVersionShape,
    )
    def get(self, request: KeyRequest, project: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        of = project_for(request.user.pk, project)
        found = answers_by_version(of)
        against = stale_versions(of, [one.version for one in found if one.stale])
        return respond({"versions": [version_answers_shape(one, against.get(one.version, ())) for one in found]})


class VersionsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="The versions of a project", tags=["projects"], **listing(VersionShape))
    def get(self, request: KeyRequest, project: UUID) -> HttpResponse:
        versions = project_for(request.user.pk, project).versions.all()
        return page_of(request, versions, version_shape, sort="number")

    @extend_schema(summary="Add a draft version", tags=["projects"], request=VersionAsk, responses={201: VersionShape})
    def post(self, request: KeyRequest, project: UUID) -> HttpResponse:
        ask = VersionAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                version_shape(
                    add_version(
                        project_id=project_for(request.user.pk, project, at_least="manager").pk,
                        interface=ask["interface"],
                        instructions=ask["instructions"],
                    )
                ),
                status=201,
            )


class LabellingConfigView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="The interface that a labelling config of Label Studio asks for; nothing is kept",
        description=(
            "Make a project or a version with the interface. A tag without an answer type of ours, and an option that "
            "cannot be kept, is an error that names the tag."
        ),
        tags=["projects"],
        request=LabellingConfigAsk,
        responses=LabellingConfigShape,
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = LabellingConfigAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(labelling_config_shape(interface_of(ask["config"])))


class VersionView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="One version", tags=["projects"], responses=VersionShape)
    def get(self, request: KeyRequest, project: UUID, number: int) -> HttpResponse:
        return respond(version_shape(version_of(project_for(request.user.pk, project), number)))

    @extend_schema(
        summary="Write a draft anew",
        tags=["projects"],
        request=VersionDraftAsk,
        responses=VersionShape,
    )
    def put(self, request: KeyRequest, project: UUID, number: int) -> HttpResponse:
        ask = VersionDraftAsk.of(request)
        with again(request):
            version = change_version(
                project=project_for(request.user.pk, project, at_least="manager"),
                number=number,
                interface=ask["interface"],
                instructions=ask["instructions"],
                made_from=ask.get("made_from"),
            )
        return respond(version_shape(version))


class VersionChangesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What is different from an earlier version",
        tags=["projects"],
        parameters=[
            OpenApiParameter("since", {"type": "integer", "minimum": 1}, description="By default the one before it")
        ],
        responses=VersionChangesShape,
    )
    def get(self, request: KeyRequest, project: UUID, number: int) -> HttpResponse:
        refuse_unknown(request.query_params, ["since"])
        of = project_for(request.user.pk, project)
        after = version_of(of, number)
        since = _since(request, number)
        before = None if since is None else version_of(of, since)
        return respond(
            {
                "since": since,
                "number": number,
                "interface": [change_shape(one) for one in interface_changes(before.interface, after.interface)]
                if before
                else [],
                "instructions": [
                    line_shape(one) for one in instruction_changes(before.instructions, after.instructions)
                ]
                if before
                else [],
            }
        )


def _since(request: KeyRequest, number: int) -> int | None:
    asked = request.query_params.get("since")
    if asked is None:
        return number - 1 or None
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10):
        raise Malformed("`since` must be the number of a version.", field="since")
    return int(asked)


class VersionPublishView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Publish a version; it never changes after",
        tags=["projects"],
        request=EmptyAsk,
        responses=VersionShape,
    )
    def post(self, request: KeyRequest, project: UUID, number: int) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                version_shape(
                    publish_version(project=project_for(request.user.pk, project, at_least="manager"), number=number)
                )
            )
