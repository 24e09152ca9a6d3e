// Python in a worker of its own: one for each check, so that what hangs is ended by ending the worker.
"use strict";
const MARK = "\u001enormlab:"; // a line of standard output that begins so names the function that is examined

async function start(settings) {
  importScripts(settings.pyodide + "pyodide.js");
  const python = await loadPyodide({
    indexURL: settings.pyodide,
    jsglobals: {}, // the code that is checked sees nothing of the page
    stdout: (line) => {
      if (line.startsWith(MARK)) postMessage({ kind: "probe", name: line.slice(MARK.length) });
    },
    stderr: () => {},
  });
  await python.loadPackage(["numpy"], { messageCallback: () => {} });
  const archive = await fetch(settings.base + "checker.zip?" + settings.version);
  python.unpackArchive(await archive.arrayBuffer(), "zip", { extractDir: "/lib/checker" });
  const source = await (await fetch(settings.base + "inside.py?" + settings.version)).text();
  python.FS.writeFile("/lib/checker/inside.py", source);
  python.runPython("import sys; sys.path.insert(0, '/lib/checker'); import inside");
  postMessage({ kind: "ready" });
  return python;
}

let python;
onmessage = async ({ data }) => {
  if (data.kind === "start") {
    python = start(data);
    python.catch((error) => postMessage({ kind: "failed", text: String(error) }));
    return;
  }
  const py = await python;
  try {
    py.globals.set("asked", JSON.stringify({ files: data.files, seed: data.seed }));
    postMessage({ kind: "report", report: JSON.parse(py.runPython("inside.check(asked)")) });
  } catch (error) {
    postMessage({ kind: "failed", text: String(error) });
  }
};
