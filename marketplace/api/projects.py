"""Projects and their versions."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from marketplace.accounts.queries import requester_for
from marketplace.api.asks import EmptyAsk, LabellingConfigAsk, ProjectAsk, VersionAsk
from marketplace.api.shapes import (
    LabellingConfigShape,
    ProjectShape,
    VersionShape,
    labelling_config_shape,
    project_shape,
    version_shape,
)
from marketplace.projects.commands import add_version, create_project, publish_version
from marketplace.projects.label_studio.configs import interface_of
from marketplace.projects.queries import project_for, projects_of, version_of
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest


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


class VersionsView(APIView):
    permission_classes = [IsRequesterKey]

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
