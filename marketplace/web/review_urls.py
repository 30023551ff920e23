from django.urls import path

from marketplace.web.views import review, review_lists

urlpatterns = [
    path("batches/<uuid:batch>/review/", review.queue, name="console_review"),
    path("batches/<uuid:batch>/review/proof.csv", review.proof_file, name="console_review_proof"),
    path("batches/<uuid:batch>/review/answers/", review_lists.answers, name="console_review_answers"),
    path("batches/<uuid:batch>/review/given-up/", review_lists.given_up, name="console_review_given_up"),
    path("batches/<uuid:batch>/review/appeals/", review_lists.appeals, name="console_review_appeals"),
]
