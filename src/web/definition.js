// The questionnaire's definition (FHIR R4), read once into the items that the other modules use.

const FHIR = "http://hl7.org/fhir/StructureDefinition/";
const SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-";
const TRANSLATION = FHIR + "translation";

export function extension(element, url) {
  return element?.extension?.find(one => one.url === url);
}

/** The value[x] of an element: {type: "Coding", value}, or null. */
export function choiceOf(element, prefix) {
  for (const [name, value] of Object.entries(element ?? {})) {
    if (name.startsWith(prefix) && /^[A-Z]/.test(name.slice(prefix.length))) {
      return { type: name.slice(prefix.length), value };
    }
  }
  return null;
}

const valueOf = (element, url) => choiceOf(extension(element, url), "value")?.value;

/** A text of the definition in a language, by FHIR's translation extension; else as it is. */
export function translated(element, name, language) {
  for (const one of element?.["_" + name]?.extension ?? []) {
    if (one.url === TRANSLATION) {
      const code = valueOf(one, "lang");
      if (code === language || code?.split("-")[0] === language) {
        return valueOf(one, "content") ?? element[name];
      }
    }
  }
  return element?.[name];
}

function optionsOf(definition, root) {
  if (definition.answerOption) {
    return definition.answerOption.map(option => {
      const { type, value: given } = choiceOf(option, "value") ?? {};
      const value = type === "Reference" ? given.reference : given;
      return {
        code: type === "Coding" ? value.code : String(value),
        system: value?.system,
        plain: type !== "Coding",
        value: type === "Coding" ? value.code : value,
        element: type === "Coding" ? value : null,
        exclusive: valueOf(option, FHIR + "questionnaire-optionExclusive") === true,
        selected: option.initialSelected === true,
      };
    });
  }
  const name = definition.answerValueSet?.split("|")[0];
  const set = name && root.contained?.find(one =>
    one.resourceType === "ValueSet" && ("#" + one.id === name || one.url === name));
  const listed = set?.expansion?.contains ??
    set?.compose?.include?.flatMap(part => (part.concept ?? []).map(one => ({ ...one, system: part.system }))) ?? [];
  return listed.map(one => ({ code: one.code, system: one.system, value: one.code, element: one }));
}

const EXTENSIONS = {
  minCount: FHIR + "questionnaire-minOccurs",
  maxCount: FHIR + "questionnaire-maxOccurs",
  minLength: FHIR + "minLength",
  places: FHIR + "maxDecimalPlaces",
  maxSize: FHIR + "maxSize",
  regex: FHIR + "regex",
  entryFormat: FHIR + "entryFormat",
  unit: FHIR + "questionnaire-unit",
};

function readItem(definition, parent, form) {
  const item = {
    definition, parent,
    linkId: definition.linkId,
    type: definition.type,
    index: form.count++,
    required: definition.required === true,
    repeats: definition.repeats === true,
    readOnly: definition.readOnly === true,
    hidden: parent.hidden === true || valueOf(definition, FHIR + "questionnaire-hidden") === true,
    maxLength: definition.maxLength,
    min: valueOf(definition, FHIR + "minValue") ?? valueOf(definition, SDC + "minQuantity"),
    max: valueOf(definition, FHIR + "maxValue") ?? valueOf(definition, SDC + "maxQuantity"),
    units: (definition.extension ?? []).filter(one => one.url === FHIR + "questionnaire-unitOption")
      .map(one => one.valueCoding),
    types: (definition.extension ?? []).filter(one => one.url === FHIR + "mimeType")
      .map(one => one.valueCode),
    options: optionsOf(definition, form.root),
    conditions: (definition.enableWhen ?? []).map(one => ({
      source: one.question, operator: one.operator, ...choiceOf(one, "answer"),
    })),
    any: definition.enableBehavior === "any",
  };
  for (const [name, url] of Object.entries(EXTENSIONS)) {
    item[name] = valueOf(definition, url);
  }
  item.isQuestion = !["group", "display", "question"].includes(item.type);
  item.inner = item.repeats && (item.type === "group" || (definition.item ?? []).length > 0);
  // Whose values stand in one object of the flat form: the root's, or an occurrence's.
  item.owner = parent.inner ? parent : parent.owner;
  form.items.set(item.linkId, item);
  item.children = (definition.item ?? []).map(one => readItem(one, item, form));
  return item;
}

/** The compiled form: {root, items, title(language)}; `root` is the item above all others. */
export function compile(definition) {
  const form = { definition, items: new Map(), count: 1, root: definition };
  const top = { linkId: "", type: "group", index: 0, conditions: [], inner: true, parent: null };
  top.owner = top;
  top.children = (definition.item ?? []).map(one => readItem(one, top, form));
  return {
    top,
    items: form.items,
    id: definition.id,
    version: definition.version,
    title: language => translated(definition, "title", language) ?? definition.name ?? "",
  };
}

/** Whether `item` is `above`, or below it. */
export function isWithin(item, above) {
  for (let at = item; at; at = at.parent) {
    if (at === above) {
      return true;
    }
  }
  return false;
}
