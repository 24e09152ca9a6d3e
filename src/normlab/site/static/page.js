// The page: takes files, asks a worker, shows what it says. No framework, nothing from elsewhere but Pyodide.
"use strict";
const SECONDS = 30; // without a word from the worker: an endless loop
const EXAMPLE = `import numpy as np

def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    mean = x.mean(axis=1, keepdims=True)
    var = x.var(axis=1, keepdims=True)
    xhat = (x - mean) / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, var + eps, gamma)

def layernorm_backward(dout, cache):
    xhat, v, gamma = cache
    dgamma, dbeta = (dout * xhat).sum(axis=0), dout.sum(axis=0)
    dxhat = dout * gamma
    dx = (dxhat - xhat * (dxhat * xhat).mean(axis=1, keepdims=True)) / np.sqrt(v)
    return dx, dgamma, dbeta
`;
const WORDS = { right: "right", wrong: "wrong", waiting: "waits", unimplemented: "not written yet", unjudged: "not judged" };
const HINTS = ["Hint 1: on which path", "Hint 2: which term", "Hint 3: the formula"];
const $ = (id) => document.getElementById(id);

let settings, worker, ready, files = {}, examined = "", timer, report;

function element(tag, text, cls) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (cls) made.className = cls;
  return made;
}

function say(text) { $("state").textContent = text; }

// A fresh worker for each check; the next one is warmed while the last answer is read.
function warm() {
  ready = false;
  const base = new URL("./", location.href).href;
  const pyodide = new URL(settings.pyodide, base).href;
  // from a blob, so that this page's content security policy holds inside as well
  const source = `importScripts(${JSON.stringify(base + "worker.js?" + settings.version)});`;
  worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  worker.onmessage = ({ data }) => heard(data);
  worker.onerror = (event) => failed(event.message);
  worker.postMessage({ kind: "start", base, pyodide, version: settings.version });
}

function heard(data) {
  if (data.kind === "ready") {
    ready = true;
    if (waitingToCheck) ask(); else if (!report) { $("check").disabled = false; say("Ready."); }
    if (report) $("check").disabled = false;
  } else if (data.kind === "probe") {
    examined = data.name;
    say(`Examining ${examined} …`);
    $("bar").value += 1;
    watch();
  } else if (data.kind === "report") {
    clearTimeout(timer);
    show(data.report);
    again();
  } else if (data.kind === "failed") {
    failed(data.text);
  }
}

function failed(text) {
  clearTimeout(timer);
  say(`Python could not go on: ${String(text).trim().split("\n").pop()}`);
  again();
}

function again() {
  $("bar").hidden = true;
  waitingToCheck = false;
  worker.terminate();
  $("check").disabled = false;
  warm();
}

function watch() {
  clearTimeout(timer);
  const seconds = settings.seconds || SECONDS;
  timer = setTimeout(() => {
    const where = examined ? `while ${examined} was examined` : "while the file was loaded";
    say(`Stopped: no answer in ${seconds} s, ${where}. An endless loop? Mend it, and check again.`);
    $("bar").hidden = true;
    worker.terminate();
    waitingToCheck = false;
    $("check").disabled = false;
    warm();
  }, 1000 * seconds);
}

let waitingToCheck = false;
function check() {
  const given = Object.keys(files).length ? files : { "layers.py": $("code").value };
  if (!Object.values(given).some((text) => text.trim())) { say("There is nothing to check: paste code, or open a file."); $("code").focus(); return; }
  $("check").disabled = true;
  $("answer").hidden = true;
  report = null;
  waitingToCheck = given;
  if (ready) ask(); else say("Python is being started …");
}

function ask() {
  examined = "";
  $("bar").hidden = false; $("bar").max = 16; $("bar").value = 0;
  say("Loading your code …");
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
  worker.postMessage({ kind: "check", files: waitingToCheck, seed: settings.seed ?? seed });
  watch();
}

function place(finding) {
  if (!finding.line) return "";
  const name = (finding.file || "").split("/").pop();
  return name && !name.startsWith("<") ? `${name}:${finding.line}` : `line ${finding.line}`;
}

function card(finding) {
  const remark = finding.verdict === "right";
  const made = element("article", undefined, remark ? "remark" : finding.verdict);
  const title = element("h3");
  title.append(element("code", finding.function), " ", element("span", remark ? "remark" : WORDS[finding.verdict], "verdict"));
  made.append(title);
  made.append(element("p", finding.symptom && finding.verdict === "wrong" ? finding.symptom : finding.sentence));
  if (finding.text) made.append(element("pre", `${place(finding)}    ${finding.text}`, "line"));
  const facts = element("dl");
  const fact = (term, text) => { if (text) facts.append(element("dt", term), element("dd", text)); };
  fact("where", finding.text ? "" : place(finding));
  fact("measured", finding.evidence);
  fact("in the notebook", finding.cell);
  fact("how sure", finding.sure);
  if (facts.children.length) made.append(facts);
  if (finding.verdict === "wrong") {
    const texts = [finding.hints[0], `${finding.sentence}${finding.hints[1] ? ". " + finding.hints[1] : ""}`,
      [finding.derivation, finding.hints[2]].filter(Boolean).join(". ")];
    texts.forEach((text, index) => {
      if (!text) return;
      const folded = element("details");
      folded.append(element("summary", HINTS[index]), element("p", text));
      made.append(folded);
    });
  }
  return made;
}

function show(found) {
  report = found;
  const verdicts = Object.values(found.functions);
  const counts = Object.entries(WORDS).map(([verdict, word]) => [verdicts.filter((v) => v === verdict).length, word])
    .filter(([number]) => number).map(([number, word]) => `${number} ${word}`);
  $("counts").textContent = counts.length ? counts.join(", ")
    : "Nothing of the assignment is in it: no function has one of the names that are known.";
  const out = $("findings");
  out.replaceChildren();
  for (const verdict of ["wrong", "waiting", "unimplemented", "unjudged"])
    out.append(...found.findings.filter((f) => f.verdict === verdict).map(card));
  const right = Object.entries(found.functions).filter(([, v]) => v === "right").map(([name]) => name);
  if (right.length) {
    const made = element("article", undefined, "right");
    const title = element("h3"); title.append(element("span", "right", "verdict"));
    made.append(title, element("p", right.join(", ")));
    out.append(made);
  }
  out.append(...found.findings.filter((f) => f.verdict === "right" && f.fault).map(card));
  for (const one of found.not_judged) out.append(card({ function: one.name, verdict: "unjudged", sentence: one.reason, line: one.line, file: one.file, hints: [] }));
  for (const note of found.notes) out.append(element("p", `Note: ${note}`));
  $("seed").textContent = `Seed ${found.seed} asks the same questions again.`;
  $("answer").hidden = false;
  say(`Done in ${found.seconds.toFixed(1)} s.`);
  mark(found);
  $("answer-title").focus();
}

// Put the cursor on the line of the first fault in the pasted code.
function mark(found) {
  const first = found.findings.find((f) => f.verdict === "wrong" && f.line);
  if (!first || Object.keys(files).length) return;
  const lines = $("code").value.split("\n");
  const from = lines.slice(0, first.line - 1).join("\n").length + (first.line > 1 ? 1 : 0);
  $("code").setSelectionRange(from, from + (lines[first.line - 1] || "").length);
  $("code").scrollTop = Math.max(0, (first.line - 6) * 1.45 * 14.4);
}

function markdown(found) {
  const lines = [`**normlab check**, seed ${found.seed}`, ""];
  for (const f of found.findings) {
    if (f.verdict === "right" && !f.fault) continue;
    const where = place(f) ? ` (${place(f)})` : "";
    lines.push(`- \`${f.function}\` ${f.verdict === "right" ? "remark" : WORDS[f.verdict]}${where}: ${f.sentence}`);
    if (f.text) lines.push("", "  ```python", `  ${f.text}`, "  ```");
    if (f.evidence) lines.push(`  - measured: ${f.evidence}`);
    if (f.derivation) lines.push(`  - derivation: ${f.derivation}`);
  }
  const right = Object.entries(found.functions).filter(([, v]) => v === "right").map(([name]) => `\`${name}\``);
  if (right.length) lines.push(`- right: ${right.join(", ")}`);
  return lines.join("\n") + "\n";
}

async function take(list) {
  const chosen = [...list].filter((file) => /\.(py|ipynb)$/.test(file.name) && file.size < 5e6);
  if (!chosen.length) { say("There is no .py or .ipynb file among these."); return; }
  const read = {};
  for (const file of chosen.slice(0, 200)) read[file.webkitRelativePath || file.name] = await file.text();
  const names = Object.keys(read);
  if (names.length === 1 && names[0].endsWith(".py")) {
    files = {};
    $("code").value = read[names[0]];
    $("files").hidden = true;
  } else {
    files = read;
    $("code").value = "";
    $("files").hidden = false;
    $("files").textContent = `${names.length === 1 ? names[0] : names.length + " files: " + names.slice(0, 6).join(", ")}${names.length > 6 ? " …" : ""}`;
  }
  say("Ready.");
}

$("check").addEventListener("click", check);
$("code").addEventListener("input", () => { files = {}; $("files").hidden = true; });
$("code").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) check(); });
$("open").addEventListener("change", (event) => take(event.target.files));
$("folder").addEventListener("change", (event) => take(event.target.files));
$("example").addEventListener("click", () => { files = {}; $("files").hidden = true; $("code").value = EXAMPLE; $("code").focus(); });
$("clear").addEventListener("click", () => { files = {}; $("files").hidden = true; $("code").value = ""; $("answer").hidden = true; $("code").focus(); });
$("copy").addEventListener("click", async () => {
  const text = markdown(report);
  try { await navigator.clipboard.writeText(text); say("Copied."); }
  catch { files = {}; window.prompt("Copy this:", text); }
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files);
  });
}

(async () => {
  settings = await (await fetch("settings.json")).json();
  warm();
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("offline.js").catch(() => {});
})();
window.normlab = { report: () => report, set: (changes) => Object.assign(settings, changes), markdown: () => markdown(report) };
