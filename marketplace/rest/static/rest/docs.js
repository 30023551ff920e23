"use strict";

const place = document.querySelector("#docs");

SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  // Every write needs a key of its own; one that is left empty is made up here.
  requestInterceptor: (request) => {
    if (!["GET", "HEAD", undefined].includes(request.method) && !request.headers["Idempotency-Key"]) {
      request.headers["Idempotency-Key"] = crypto.randomUUID();
    }
    return request;
  },
});
