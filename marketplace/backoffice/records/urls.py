from marketplace.backoffice.records import records

urlpatterns = records.get_urls()
