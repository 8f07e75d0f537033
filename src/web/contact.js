// Who answers: the fields of a submission that belong to no questionnaire, as items like others.

const PLACEHOLDER = /[{}]|%7b|%5b|^\[[^\]]*\]$|^<[^>]*>$/i;
const CONTROL = /[\u0000-\u001f\u007f]/;

function isEmail(text) {
  const at = text.indexOf("@");
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)];
  const labels = domain.split(".");
  const bytes = new TextEncoder();
  return at > 0 && bytes.encode(local).length <= 64 && bytes.encode(text).length <= 254 &&
    /^[a-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\uffff]+(\.[a-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\uffff]+)*$/i.test(local) &&
    labels.length >= 2 && bytes.encode(labels[labels.length - 1]).length >= 2 &&
    labels.every(label => bytes.encode(label).length <= 63 &&
      /^[a-z0-9\u0080-\uffff]([a-z0-9\u0080-\uffff-]*[a-z0-9\u0080-\uffff])?$/i.test(label));
}

function isPhone(text) {
  if (!/^\+?[0-9 \-.()/]+$/.test(text)) {
    return false;
  }
  const digits = text.replace(/[^0-9]/g, "");
  const number = text.startsWith("+") ? digits : digits.startsWith("00") ? digits.slice(2) : "0";
  return number.length >= 7 && number.length <= 15 && number[0] !== "0";
}

const RULES = {
  attendee_name: (text, add) => [...text].length > 200 && add("maxLength", { n: 200 }),
  attendee_email: (text, add) => !isEmail(text) && add("format.attendee_email"),
  attendee_phone: (text, add) => !isPhone(text) && add("format.attendee_phone"),
};

export const FIELDS = [
  { linkId: "attendee_name", required: true, input: "text", autocomplete: "name" },
  { linkId: "attendee_email", required: true, input: "email", autocomplete: "email" },
  { linkId: "attendee_phone", required: false, input: "tel", autocomplete: "tel" },
];

function custom(linkId) {
  return (value, add) => {
    const text = (value ?? "").trim();
    if (text === "") {
      return;
    }
    if (PLACEHOLDER.test(text)) {
      add("placeholder");
    } else if (CONTROL.test(text)) {
      add("invalidCharacter");
    } else {
      RULES[linkId](text, add);
    }
  };
}

/** Puts the contact before the form's own sections; the section. */
export function addContact(form) {
  const section = {
    linkId: "contact", type: "group", parent: form.top, owner: form.top, index: -1, definition: {},
    conditions: [], contact: true,
  };
  section.children = FIELDS.map(field => ({
    ...field, type: "string", isQuestion: true, parent: section, owner: form.top, index: -1,
    definition: {}, conditions: [], options: [], units: [], types: [], children: [], contact: true,
    custom: custom(field.linkId),
  }));
  form.top.children.unshift(section);
  section.children.forEach(field => form.items.set(field.linkId, field));
  return section;
}
