from django.urls import path

from marketplace.backoffice.views import configuration, log, market

urlpatterns = [
    path("", market.health, name="staff_health"),
    path("health/letters/<uuid:letter>/retry/", market.retry_letter, name="staff_retry_letter"),
    path("quality/", market.quality, name="staff_quality"),
    path("quality/firings/", market.firings, name="staff_firings"),
    path("quality/batches/<uuid:batch>/", market.batch, name="staff_batch"),
    path("quality/batches/<uuid:batch>/keys/", market.keys, name="staff_batch_keys"),
    path("log/", log.log, name="staff_audit"),
    path("log/check/", log.check, name="staff_audit_check"),
    path("configuration/", configuration.configuration, name="staff_configuration"),
    path("configuration/rules/", configuration.rules, name="staff_rules"),
    path("configuration/staff/", configuration.staff, name="staff_roles"),
    path("configuration/staff/<uuid:user>/revoke/", configuration.revoke, name="staff_revoke"),
]
