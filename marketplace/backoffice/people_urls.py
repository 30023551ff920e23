from django.urls import path

from marketplace.api.worker_parts import PARTS
from marketplace.backoffice.views import appeals, people, reviews

urlpatterns = [
    path("people/", people.search, name="staff_people"),
    path("people/workers/<uuid:worker>/", people.worker, name="staff_worker"),
    path("people/workers/<uuid:worker>/sanction/", people.sanction, name="staff_sanction"),
    path("people/workers/<uuid:worker>/link/", people.link, name="staff_link"),
    *(
        path(f"people/workers/<uuid:worker>/{part}/", people.part_page(part), name=f"staff_worker_{part}")
        for part in PARTS
    ),
    path("people/links/<uuid:link>/end/", people.end_a_link, name="staff_link_end"),
    path("people/sanctions/", people.sanctions, name="staff_sanctions"),
    path("people/sanctions/<uuid:sanction>/lift/", people.lift_sanction, name="staff_lift"),
    path("people/requesters/<uuid:requester>/", people.requester, name="staff_requester"),
    path("appeals/", appeals.appeals, name="staff_appeals"),
    path("appeals/<uuid:appeal>/", appeals.appeal, name="staff_appeal"),
    path("rejections/", reviews.reviews, name="staff_reviews"),
    path("rejections/<uuid:review>/", reviews.review, name="staff_review"),
]
