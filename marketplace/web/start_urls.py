from django.urls import path

from marketplace.web.views import keys, members, start, workers

urlpatterns = [
    path("", start.organisations, name="console"),
    path("new/", start.found, name="console_found"),
    path("join/", members.join_organisation, name="console_join"),
    path("<uuid:requester>/", start.home, name="console_home"),
    path("<uuid:requester>/people/", members.people, name="console_people"),
    path("<uuid:requester>/people/<uuid:member>/", members.member, name="console_member"),
    path("<uuid:requester>/people/<uuid:member>/remove/", members.remove, name="console_member_remove"),
    path("<uuid:requester>/invitations/<uuid:invitation>/withdraw/", members.withdraw, name="console_withdraw"),
    path("<uuid:requester>/workers/", workers.workers, name="console_workers"),
    path("<uuid:requester>/workers/skills/<uuid:skill>/", workers.skill, name="console_skill"),
    path("<uuid:requester>/workers/lists/<uuid:worker_list>/", workers.worker_list, name="console_worker_list"),
    path("<uuid:requester>/keys/", keys.keys, name="console_keys"),
    path("<uuid:requester>/keys/new/", keys.new, name="console_key_new"),
    path("<uuid:requester>/keys/<uuid:key>/revoke/", keys.revoke, name="console_key_revoke"),
]
