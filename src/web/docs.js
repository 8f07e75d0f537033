// The page of the API's documentation: /openapi.json, to be read.

/** element("a", {href: "#x", class: "y"}, "text", another): attributes as they are in HTML. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : value);
    }
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** Text with `code` and **weight** in it, as nodes. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`")) {
      return element("code", {}, part.slice(1, -1));
    }
    return part.startsWith("**") ? element("strong", {}, part.slice(2, -2)) : part;
  });
}

function paragraphs(text) {
  return text.split("\n\n").map((part) => element("p", {}, inline(part)));
}

const METHODS = ["get", "post", "put", "patch", "delete"];

class Api {
  constructor(spec) {
    this.spec = spec;
    this.operations = Object.entries(spec.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((method) => ({path, method, ...item[method]})));
    const shared = Object.entries(this.operations[0].responses).filter(([status, response]) =>
      this.operations.every((each) => this.isShared(each.responses[status], response)));
    this.shared = new Set(shared.map(([status]) => status));
  }

  /** Whether both are the general answer, in either of its two forms. */
  isShared(one, other) {
    const name = (each) => each?.$ref?.replace("/responses/Fhir", "/responses/");
    return name(one) !== undefined && name(one) === name(other);
  }

  resolve(value) {
    if (value?.$ref === undefined) {
      return value;
    }
    const {$ref, ...own} = value;
    const found = $ref.slice(2).split("/").reduce((at, part) => at[part], this.spec);
    return {...this.resolve(found), ...own};
  }

  /** The name of a type, in one line. */
  type(schema) {
    if (schema.$ref) {
      return schema.$ref.split("/").pop();
    }
    if (schema.anyOf) {
      return schema.anyOf.map((each) => this.type(each)).join(" or ");
    }
    if (schema.const !== undefined) {
      return JSON.stringify(schema.const);
    }
    const types = [schema.type ?? "any"].flat();
    return types.map((type) => (type === "array" && schema.items ? `list of ${this.type(schema.items)}` : type)).join(" or ");
  }

  limits(schema) {
    const words = {minimum: "from", maximum: "to", minLength: "at least", maxLength: "at most", pattern: "like", default: "default", format: "as"};
    return [...Object.entries(words).filter(([key]) => schema[key] !== undefined).map(([key, word]) => `${word} ${schema[key]}`),
      ...(schema.enum ? [`one of ${schema.enum.join(", ")}`] : [])].join(", ");
  }
}

function table(caption, head, rows) {
  return element("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption},
    element("table", {},
      element("caption", {class: "visually-hidden"}, caption),
      element("thead", {}, element("tr", {}, head.map((text) => element("th", {scope: "col"}, text)))),
      element("tbody", {}, rows.map(([first, ...rest]) => element("tr", {},
        element("th", {scope: "row"}, first), rest.map((cell) => element("td", {}, cell)))))));
}

function sample(text, label) {
  const said = element("span", {class: "visually-hidden", role: "status"});
  const button = element("button", {type: "button", class: "button copy", "aria-label": `Copy: ${label}`}, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      said.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
      said.textContent = "Selected; press Ctrl+C";
    }
  });
  return element("div", {class: "sample"},
    element("pre", {tabindex: "0", role: "region", "aria-label": label}, element("code", {}, text)), button, said);
}

/** What is made when it is first unfolded: all of it at once would be a slow page. */
function folded(summary, make) {
  const details = element("details", {}, element("summary", {}, summary));
  details.addEventListener("toggle", () => details.append(element("div", {}, make())), {once: true});
  return details;
}

/** A shape, member by member, and those that it leads to. */
function shape(api, schema, label, seen = []) {
  const members = Object.entries(schema.properties ?? {});
  if (members.length === 0) {
    return [];
  }
  const rows = members.map(([name, member]) => {
    const whole = api.resolve(member);
    const limits = api.limits(whole);
    return [element("code", {}, name), [api.type(member), limits ? ` (${limits})` : ""],
      [(schema.required ?? []).includes(name) ? "" : "Not always. ", inline(whole.description ?? "")].flat()];
  });
  const below = members.flatMap(([name, member]) => [member, member.items, ...(member.anyOf ?? [])].map((each) => [name, each]))
    .filter(([, each]) => each?.$ref || each?.properties);
  return [table(label, ["Member", "Type", "What it is"], rows),
    ...below.flatMap(([member, each]) => {
      const inner = api.resolve(each);
      if (!inner.properties || seen.includes(each.$ref)) {
        return [];
      }
      if (each.$ref) {
        seen.push(each.$ref);
      }
      const name = each.$ref?.split("/").pop() ?? member;
      return [element("p", {}, element("strong", {}, name), inner.description ? [": ", ...inline(inner.description)] : ""),
        ...shape(api, inner, `${label}: ${name}`, seen)];
    })];
}

function content(api, media, label) {
  return Object.entries(media).flatMap(([type, {schema, example}]) => {
    const whole = api.resolve(schema ?? {});
    const text = typeof example === "string" ? example : JSON.stringify(example, null, 2);
    return [element("p", {}, element("code", {}, type), schema?.$ref ? ` · ${api.type(schema)}` : "",
      whole.description ? [" · ", ...inline(whole.description)] : ""),
    example === undefined ? null : sample(text, `${label}, example, ${type}`),
    whole.properties ? folded("Its members", () => shape(api, whole, `${label}, ${type}`)) : null];
  });
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What to paste into a terminal. */
function curl(api, operation) {
  const parameters = (operation.parameters ?? []).map((each) => api.resolve(each));
  const given = parameters.filter((each) => each.example !== undefined && (each.required || each.in === "path"));
  let path = operation.path;
  const query = new URLSearchParams();
  for (const {name, example, ...each} of given) {
    if (each.in === "path") {
      path = path.replace(`{${name}}`, encodeURIComponent(example));
    } else if (each.in === "query") {
      query.append(name, example);
    }
  }
  const tail = query.size > 0 ? `?${query}` : "";
  const lines = [`curl -i${operation.method === "get" ? "" : ` -X ${operation.method.toUpperCase()}`} ${quoted(location.origin + path + tail)}`];
  const schemes = operation.security.flatMap((each) => Object.keys(each));
  if (schemes.includes("bearer")) {
    lines.push('-H "Authorization: Bearer $TOKEN"');
  } else if (schemes.includes("bookingLink")) {
    lines.push('-H "X-Intake-Link: $LINK"');
  }
  for (const {name, example} of parameters.filter((each) => each.in === "header" && each.required)) {
    lines.push(`-H ${quoted(`${name}: ${example}`)}`);
  }
  const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (type !== undefined) {
    lines.push(`-H ${quoted(`Content-Type: ${type}`)}`, `-d ${quoted(JSON.stringify(media.example))}`);
  }
  return lines.join(" \\\n  ");
}

function whoMay(operation) {
  const words = {bearer: `a token${operation["x-roles"] ? ` of role ${operation["x-roles"].join(" or ")}` : ""}`,
    bookingLink: "the booking’s link", session: "a signed-in session"};
  const schemes = operation.security.flatMap((each) => Object.keys(each));
  const named = [...new Set(schemes)].map((scheme) => words[scheme] ?? scheme).join(", or ");
  const open = operation.security.length === 0 || operation.security.some((each) => Object.keys(each).length === 0);
  if (named === "") {
    return "Everybody.";
  }
  return open ? `Everybody, unless the configuration asks for ${named}.` : `Who has ${named}.`;
}

function responseRow(api, [status, response]) {
  const whole = api.resolve(response);
  const media = whole.content ?? {};
  const headers = Object.entries(whole.headers ?? {}).filter(([name]) => !["X-Request-Id", "X-Content-Type-Options", "Cache-Control"].includes(name));
  return [status, [...inline(whole.description),
    headers.length > 0 ? element("p", {class: "muted"}, "Headers: ", headers.flatMap(([name], i) => [i > 0 ? ", " : "", element("code", {}, name)])) : null,
    Object.keys(media).length > 0
      ? folded(`Body of ${status}`, () => content(api, media, `Answer ${status}`)) : null]];
}

function show(api, operation) {
  const {operationId: id, method, path, summary} = operation;
  const parameters = (operation.parameters ?? []).map((each) => api.resolve(each));
  const answers = Object.entries(operation.responses);
  const good = answers.filter(([status]) => status < 400);
  const bad = answers.filter(([status]) => status >= 400 && !api.shared.has(status));
  return element("article", {class: "card operation", id, "aria-labelledby": `${id}-title`, tabindex: "-1"},
    element("h3", {id: `${id}-title`}, summary),
    element("p", {class: "address"}, element("span", {class: `method ${method}`}, method.toUpperCase()), " ", path),
    paragraphs(operation.description),
    element("p", {}, element("strong", {}, "Who may: "), whoMay(operation)),
    parameters.length > 0 ? [element("h4", {}, "Parameters"),
      table(`Parameters of ${summary}`, ["Name", "Where", "Type", "What it is"], parameters.map((each) => [
        element("code", {}, each.name), each.required ? `${each.in}, required` : each.in,
        [api.type(each.schema), api.limits(api.resolve(each.schema)) ? ` (${api.limits(api.resolve(each.schema))})` : ""],
        [...inline(each.description), each.example === undefined ? "" : [" Example: ", element("code", {}, String(each.example))]].flat()]))] : null,
    operation.requestBody ? [element("h4", {}, "Body"), content(api, operation.requestBody.content, `Body of ${summary}`)] : null,
    element("h4", {}, "Try it"), sample(curl(api, operation), `Command: ${summary}`),
    element("h4", {}, "Answers"), table(`Answers of ${summary}`, ["Status", "Meaning"], good.map((each) => responseRow(api, each))),
    bad.length > 0 ? [element("h4", {}, "Errors"),
      table(`Errors of ${summary}`, ["Status", "Meaning"], bad.map((each) => responseRow(api, each))),
      element("p", {class: "muted"}, "And those that ", element("a", {href: "#errors"}, "every operation"), " can give.")] : null);
}

function contents(api) {
  return api.spec.tags.map(({name}) => element("section", {},
    element("h2", {}, element("a", {href: `#tag-${name}`}, name)),
    element("ul", {}, api.operations.filter(({tags}) => tags[0] === name).map(({operationId, method, path, summary}) =>
      element("li", {"data-text": `${method} ${path} ${summary} ${operationId}`.toLowerCase()},
        element("a", {href: `#${operationId}`}, element("span", {class: `method ${method}`}, method.toUpperCase()), element("span", {}, summary)))))));
}

function filter(api) {
  const words = document.querySelector("#filter").value.toLowerCase().split(/\s+/);
  let count = 0;
  for (const section of document.querySelectorAll("#groups section")) {
    const entries = [...section.querySelectorAll("li")];
    for (const entry of entries) {
      entry.hidden = !words.every((word) => entry.dataset.text.includes(word));
    }
    const left = entries.filter((entry) => !entry.hidden).length;
    section.hidden = left === 0;
    count += left;
  }
  document.querySelector("#found").textContent = `${count} of ${api.operations.length} operations`;
}

function markCurrent() {
  for (const link of document.querySelectorAll("#groups li a")) {
    if (link.getAttribute("href") === location.hash) {
      link.setAttribute("aria-current", "location");
    } else {
      link.removeAttribute("aria-current");
    }
  }
}

function render(spec) {
  const api = new Api(spec);
  const shared = Object.entries(api.operations[0].responses).filter(([status]) => api.shared.has(status));
  document.querySelector("#version").textContent = spec.info.version;
  document.querySelector("#groups").replaceChildren(...contents(api));
  document.querySelector("#main").replaceChildren(
    element("section", {"aria-labelledby": "about"}, element("h2", {id: "about"}, "About"), element("div", {class: "card"},
      paragraphs(spec.info.description),
      element("h3", {}, "Credentials"),
      element("dl", {}, Object.entries(spec.components.securitySchemes).flatMap(([name, {description}]) =>
        [element("dt", {}, element("code", {}, name)), element("dd", {}, inline(description))])),
      element("h3", {id: "errors"}, "Errors that every operation can give"),
      table("Errors that every operation can give", ["Status", "Meaning"], shared.map((each) => responseRow(api, each))))),
    ...spec.tags.map(({name, description}) => element("section", {"aria-labelledby": `tag-${name}`},
      element("h2", {id: `tag-${name}`}, name), paragraphs(description),
      api.operations.filter(({tags}) => tags[0] === name).map((each) => show(api, each)))));
  document.querySelector("#filter").addEventListener("input", () => filter(api));
  filter(api);
  addEventListener("hashchange", markCurrent);
  if (location.hash) { // what it names was not there when the browser looked for it
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
    markCurrent();
  }
  document.documentElement.dataset.ready = "true";
}

try {
  const reply = await fetch("/openapi.json");
  if (!reply.ok) {
    throw new Error(`the service answered ${reply.status}`);
  }
  render(await reply.json());
} catch (error) {
  const state = document.querySelector("#state");
  state.classList.add("error");
  state.textContent = `The document could not be loaded: ${error.message}. Reload the page to try again.`;
}
