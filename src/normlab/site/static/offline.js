// A second visit works offline: what was fetched once is kept, under the version of the checker.
"use strict";
const KEPT = "normlab-@@VERSION@@";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
  await self.clients.claim();
  const cache = await caches.open(KEPT);
  await cache.addAll(["./", "index.html", "page.css", "page.js", "settings.json"]);
})()));
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith((async () => {
    const cache = await caches.open(KEPT);
    const found = await cache.match(event.request);
    if (found) return found;
    const answer = await fetch(event.request);
    if (answer.ok) await cache.put(event.request, answer.clone());
    return answer;
  })());
});
