"""The worker's side of /api/v1."""

from django.urls import path

from workers.api import appeals, commitments, earnings, firings, payouts, profiles, reputation, sanctions, skills, work

urlpatterns = [
    path("worker/submissions", work.SubmitView.as_view()),
    path("worker/batches/<uuid:batch>/claim", work.ClaimView.as_view()),
    path("workers", profiles.Workers.as_view()),
    path("worker", profiles.OwnProfile.as_view()),
    path("worker/skills", skills.HeldSkills.as_view()),
    path("worker/sanctions", sanctions.OwnSanctions.as_view()),
    path("worker/introductions", profiles.Introductions.as_view()),
    path("worker/batches", work.BoardView.as_view()),
    path("worker/batches/<uuid:batch>", work.BoardBatchView.as_view()),
    path("worker/batches/<uuid:batch>/commitment", commitments.WorkCommitmentView.as_view()),
    path("worker/batches/<uuid:batch>/commitment/openings", commitments.WorkOpeningsView.as_view()),
    path("worker/assignments", work.LeasesView.as_view()),
    path("worker/leases", work.HeartbeatView.as_view()),
    path("worker/assignments/<uuid:assignment>/draft", work.DraftView.as_view()),
    path("worker/assignments/<uuid:assignment>/return", work.ReturnView.as_view()),
    path("worker/earnings", work.EarningsView.as_view()),
    path("worker/statement", earnings.StatementView.as_view()),
    path("worker/statement/lines", earnings.StatementLinesView.as_view()),
    path("worker/statement.csv", earnings.StatementCsvView.as_view()),
    path("worker/firings", firings.OwnFirings.as_view()),
    path("worker/reputation", reputation.ReputationView.as_view()),
    path("worker/reputation/changes", reputation.ReputationChangesView.as_view()),
    path("worker/rejections", appeals.RejectionsView.as_view()),
    path("worker/appeals", appeals.AppealsView.as_view()),
    path("worker/totp", payouts.EnrolView.as_view()),
    path("worker/totp/confirm", payouts.ConfirmView.as_view()),
    path("worker/payout-providers", payouts.ProvidersView.as_view()),
    path("worker/destinations", payouts.DestinationsView.as_view()),
    path("worker/destinations/<uuid:destination>/remove", payouts.DestinationRemoveView.as_view()),
    path("worker/payouts", payouts.PayoutsView.as_view()),
    path("worker/payouts/<uuid:payout>", payouts.PayoutView.as_view()),
    path("worker/payouts/<uuid:payout>/cancel", payouts.PayoutCancelView.as_view()),
    path("worker/payout-thresholds", payouts.ThresholdsView.as_view()),
]
