from django.urls import path

from marketplace.web.views import acts, going_on, looking, rules, watch

BATCH = "batches/<uuid:batch>/"
urlpatterns = [
    path(BATCH, watch.overview, name="console_batch"),
    path(f"{BATCH}figures.csv", watch.file_of, name="console_batch_file"),
    path(f"{BATCH}workers/", looking.workers, name="console_batch_workers"),
    path(f"{BATCH}answers/", looking.answers, name="console_batch_answers"),
    path(f"{BATCH}tasks/", looking.tasks, name="console_batch_tasks"),
    path(f"{BATCH}task/", looking.task, name="console_batch_task"),
    path(f"{BATCH}reports/", looking.reports, name="console_batch_reports"),
    path(f"{BATCH}gold/", looking.gold, name="console_batch_gold"),
    path(f"{BATCH}gold/key/", acts.key, name="console_batch_key"),
    path(f"{BATCH}rules/", rules.rules, name="console_batch_rules"),
    path(f"{BATCH}release/", acts.release, name="console_batch_release"),
    path(f"{BATCH}places/", acts.places, name="console_batch_places"),
    path(f"{BATCH}go-on/", going_on.go, name="console_batch_go_on"),
    *(path(f"{BATCH}{act}/", acts.step, {"act": act}, name=f"console_batch_{act}") for act in acts.ACTS),
]
