from django.urls import path

from marketplace.web.views import projects, versions

urlpatterns = [
    path("<uuid:requester>/projects/", projects.projects, name="console_projects"),
    path("<uuid:requester>/projects/new/", projects.new, name="console_project_new"),
    path("projects/<uuid:project>/", projects.project, name="console_project"),
    path("projects/<uuid:project>/versions/new/", versions.begin, name="console_version_new"),
    path("projects/<uuid:project>/versions/<int:number>/", versions.version, name="console_version"),
    path("projects/<uuid:project>/versions/<int:number>/publish/", versions.publish, name="console_version_publish"),
    path("projects/<uuid:project>/versions/<int:number>/changes/", versions.changes, name="console_version_changes"),
]
