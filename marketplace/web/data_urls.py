from django.urls import path

from marketplace.web.views import data, money

urlpatterns = [
    path("projects/<uuid:project>/data/", data.project_data, name="console_data"),
    path("batches/<uuid:batch>/data/", data.batch_data, name="console_batch_data"),
    path("batches/<uuid:batch>/data/<int:number>/", data.dataset, name="console_dataset"),
    path("batches/<uuid:batch>/data/<int:number>/figures.csv", data.dataset_file, name="console_dataset_file"),
    path("batches/<uuid:batch>/lineage/", data.lineage, name="console_lineage"),
    path("<uuid:requester>/money/", money.overview, name="console_money"),
    path("<uuid:requester>/money/spending/", money.spending, name="console_spending"),
    path("<uuid:requester>/money/statement/", money.statement, name="console_statement"),
    path("<uuid:requester>/money/invoices/", money.invoices, name="console_invoices"),
    path("<uuid:requester>/money/pay-in/", money.pay_in, name="console_pay_in"),
    path("batches/<uuid:batch>/bonuses/", money.bonuses, name="console_bonuses"),
]
