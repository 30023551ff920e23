"""Becoming a worker, and making oneself known to a requester."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.queries import any_requester
from marketplace.common.errors import NotFound
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once, respond
from marketplace.rest.permissions import HasWorkerScope, IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.profiles.commands import become_worker, pseudonym_for, update_profile
from workers.profiles.models import COUNTRY, LANGUAGE, Content, Worker
from workers.profiles.queries import worker_of

COUNTRY_OR_NONE = f"^({COUNTRY})?$"
CONTENT = "What you agree to be shown although it may disturb; only then are you given such work"
LANGUAGE_ALONE = f"^{LANGUAGE}$"


class WorkerAsk(Ask):
    country = serializers.RegexField(COUNTRY_OR_NONE, default="", allow_blank=True, help_text="ISO 3166-1, two letters")
    languages = serializers.ListField(
        child=serializers.RegexField(LANGUAGE_ALONE, max_length=35),
        default=list,
        max_length=30,
        help_text="BCP 47 tags",
    )
    content = serializers.MultipleChoiceField(choices=Content.choices, required=False, help_text=CONTENT)
    of_age = serializers.BooleanField(default=False, help_text="That you are of age where you live")


class ProfileAsk(Ask):
    country = serializers.RegexField(
        COUNTRY_OR_NONE, required=False, allow_blank=True, help_text="ISO 3166-1, two letters"
    )
    languages = serializers.ListField(
        child=serializers.RegexField(LANGUAGE_ALONE, max_length=35),
        required=False,
        max_length=30,
        help_text="BCP 47 tags",
    )
    content = serializers.MultipleChoiceField(choices=Content.choices, required=False, help_text=CONTENT)
    of_age = serializers.BooleanField(
        required=False, help_text="That you are of age where you live; once said, it stays"
    )


class IntroductionAsk(Ask):
    requester = serializers.UUIDField()


class WorkerView(serializers.Serializer[Worker]):
    id = serializers.UUIDField(source="public_id")
    country = serializers.CharField()
    languages = serializers.ListField(child=serializers.CharField())
    content = serializers.ListField(child=serializers.CharField(), help_text=CONTENT)
    of_age_at = serializers.DateTimeField(allow_null=True, help_text="When you said that you are of age")
    created_at = serializers.DateTimeField()


class IntroductionView(serializers.Serializer[Worker]):
    requester = serializers.UUIDField()
    pseudonym = serializers.CharField()


class Workers(APIView):
    permission_classes = [HasWorkerScope]

    @extend_schema(summary="Become a worker", tags=["work"], request=WorkerAsk, responses={201: WorkerView})
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = WorkerAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                WorkerView(become_worker(user_id=request.user.pk, **ask)).data, status=201
            )


class OwnProfile(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Your profile", tags=["work"], responses=WorkerView)
    def get(self, request: KeyRequest) -> HttpResponse:
        worker = worker_of(request.user.pk)
        if worker is None:
            raise NotFound("This account is not a worker.")
        return respond(WorkerView(worker).data)

    @extend_schema(
        summary="Change what your profile says; what you leave out stays",
        tags=["work"],
        request=ProfileAsk,
        responses=WorkerView,
    )
    def patch(self, request: KeyRequest) -> HttpResponse:
        ask = ProfileAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                WorkerView(update_profile(worker_id=request.worker_id, **ask)).data
            )


class Introductions(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Get the name under which a requester knows you, to hand it to him",
        tags=["work"],
        request=IntroductionAsk,
        responses={201: IntroductionView},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        requester = IntroductionAsk.of(request)["requester"]
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            code = pseudonym_for(worker_id=request.worker_id, requester_id=any_requester(requester).pk)
            return boundary.respond({"requester": requester, "pseudonym": code}, status=201)
