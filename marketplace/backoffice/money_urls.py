from django.urls import path

from marketplace.backoffice.views import money, payouts

urlpatterns = [
    path("money/", money.money, name="staff_money"),
    path("money/books/", money.books, name="staff_books"),
    path("money/in/", money.money_in, name="staff_money_in"),
    path("money/in/<uuid:deposit>/reverse/", money.reverse, name="staff_reverse"),
    path("money/in/reports/<uuid:deposit_report>/", money.one_report, name="staff_deposit_report"),
    path("money/payouts/", payouts.payouts, name="staff_payouts"),
    path("money/payouts/<uuid:payout>/approve/", payouts.approve, name="staff_approve"),
    path("money/payouts/<uuid:payout>/refuse/", payouts.refuse, name="staff_refuse"),
    path("money/runs/", payouts.all_runs, name="staff_runs"),
    path("money/runs/<uuid:run>/", payouts.one_run, name="staff_run"),
    path("money/runs/<uuid:run>/release/", payouts.release, name="staff_release"),
    path("money/runs/<uuid:run>/file/", payouts.file, name="staff_run_file"),
    path("money/reconciliation/", payouts.reconciliation, name="staff_reconciliation"),
    path("money/reconciliation/<uuid:payout_report>/", payouts.one_report, name="staff_payout_report"),
    path("money/attempts/", payouts.wanted_elsewhere, name="staff_attempts"),
]
