"""The requester's and staff's side of /api/v1."""

from django.urls import path

from marketplace.api import (
    accounts,
    answers,
    audiences,
    batches,
    dead_letters,
    imports,
    links,
    money,
    payouts,
    projects,
    quarantine,
    skills,
)

urlpatterns = [
    path("accounts", accounts.Accounts.as_view()),
    path("keys", accounts.Keys.as_view()),
    path("keys/<uuid:key>", accounts.Key.as_view()),
    path("requesters", accounts.Requesters.as_view()),
    path("requesters/<uuid:requester>", accounts.OneRequester.as_view()),
    path("requesters/<uuid:requester>/members", accounts.Members.as_view()),
    path("invitations", accounts.Invitations.as_view()),
    path("invitations/accept", accounts.InvitationAcceptances.as_view()),
    path("requesters/<uuid:requester>/transfers", money.TransfersView.as_view()),
    path("requesters/<uuid:requester>/skills", skills.SkillsView.as_view()),
    path("requesters/<uuid:requester>/lists", skills.ListsView.as_view()),
    path("skills/<uuid:skill>/grants", skills.GrantsView.as_view()),
    path("skills/<uuid:skill>/revoke", skills.RevokeView.as_view()),
    path("lists/<uuid:list>/members", skills.MembersView.as_view()),
    path("workers/links", links.LinksView.as_view()),
    path("workers/links/<uuid:link>/end", links.LinkEndView.as_view()),
    path("ledger/head", money.HeadView.as_view()),
    path("ledger/anchors", money.AnchorsView.as_view()),
    path("deposits", money.DepositsView.as_view()),
    path("payouts", payouts.PayoutsView.as_view()),
    path("payouts/in-flight", payouts.InFlightView.as_view()),
    path("payouts/notices/<slug:provider>", payouts.NoticesView.as_view()),
    path("payouts/<uuid:payout>/approve", payouts.ApproveView.as_view()),
    path("payouts/<uuid:payout>/refuse", payouts.RefuseView.as_view()),
    path("payout-runs", payouts.RunsView.as_view()),
    path("payout-runs/<uuid:run>/file", payouts.RunFileView.as_view()),
    path("payout-runs/<uuid:run>/outcomes", payouts.OutcomesView.as_view()),
    path("payout-reports", payouts.ReportsView.as_view()),
    path("destination-attempts", payouts.AttemptsView.as_view()),
    path("dead-letters", dead_letters.DeadLettersView.as_view()),
    path("dead-letters/<uuid:letter>/retry", dead_letters.RetryView.as_view()),
    path("check", money.CheckView.as_view()),
    path("projects", projects.ProjectsView.as_view()),
    path("projects/<uuid:project>", projects.ProjectView.as_view()),
    path("projects/<uuid:project>/versions", projects.VersionsView.as_view()),
    path("projects/<uuid:project>/versions/<int:number>", projects.VersionView.as_view()),
    path("projects/<uuid:project>/versions/<int:number>/publish", projects.VersionPublishView.as_view()),
    path("projects/<uuid:project>/batches", batches.ProjectBatchesView.as_view()),
    path("projects/<uuid:project>/audience", audiences.AudiencePreviewView.as_view()),
    path("batches", batches.BatchesView.as_view()),
    path("batches/<uuid:batch>", batches.BatchView.as_view()),
    path("batches/<uuid:batch>/imports", imports.ImportsView.as_view()),
    path("batches/<uuid:batch>/imports/<uuid:id>", imports.OneImportView.as_view()),
    path("batches/<uuid:batch>/imports/<uuid:id>/cancel", imports.ImportCancelView.as_view()),
    path("batches/<uuid:batch>/priorities", imports.PrioritiesView.as_view()),
    path("batches/<uuid:batch>/audience", audiences.BatchAudienceView.as_view()),
    path("batches/<uuid:batch>/estimate", batches.EstimateView.as_view()),
    path("batches/<uuid:batch>/progress", batches.ProgressView.as_view()),
    path("batches/<uuid:batch>/quarantine", quarantine.QuarantineView.as_view()),
    path("batches/<uuid:batch>/quarantine/release", quarantine.ReleaseView.as_view()),
    path("batches/<uuid:batch>/answers", answers.AnswersView.as_view()),
    path("batches/<uuid:batch>/answers/accept", answers.AcceptView.as_view()),
    path("batches/<uuid:batch>/answers/reject", answers.RejectView.as_view()),
    path("batches/<uuid:batch>/results", answers.ResultsView.as_view()),
    *(
        path(f"batches/<uuid:batch>/exports/{what}.{form}", answers.export_view(what, form).as_view())
        for what in ("results", "answers")
        for form in ("jsonl", "csv")
    ),
    *(
        path(f"batches/<uuid:batch>/{name}", batches.step_view(name, *step).as_view())
        for name, step in batches.STEPS.items()
    ),
]
