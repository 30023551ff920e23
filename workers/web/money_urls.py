"""What came of work: earnings, standing, rejections and appeals, news."""

from django.urls import path

from workers.web.views import answers, earnings, fairness, news, standing, withdraw

urlpatterns = [
    path("earnings/", earnings.overview, name="work_earnings"),
    path("earnings/days.csv", earnings.days_file, name="work_earned_days"),
    path("earnings/answers/", answers.history, name="work_answers"),
    path("earnings/answers/<uuid:answer>/", answers.one, name="work_answer"),
    path("earnings/statement/", earnings.statement, name="work_statement"),
    path("earnings/withdraw/", withdraw.withdraw, name="work_withdraw"),
    path("earnings/withdraw/<uuid:payout>/cancel/", withdraw.cancel, name="work_payout_cancel"),
    path("standing/", standing.standing, name="work_standing"),
    path("rejections/", fairness.rejections, name="work_rejections"),
    path("appeals/", fairness.appeals, name="work_appeals"),
    path("appeals/answer/<uuid:answer>/", fairness.contest_rejection, name="work_contest_answer"),
    path("appeals/limit/<uuid:sanction>/", fairness.contest_limit, name="work_contest_limit"),
    path("news/", news.news, name="work_news"),
    path("news/read/", news.read, name="work_news_read"),
]
