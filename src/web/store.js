// What is kept in this browser while it cannot be sent: by booking, and gone once it was.

const name = (booking, kind) => `intake.${kind}.${booking}`;

export function load(booking, kind) {
  try {
    return JSON.parse(localStorage.getItem(name(booking, kind)));
  } catch {
    return null;
  }
}

export function save(booking, kind, value) {
  try {
    localStorage.setItem(name(booking, kind), JSON.stringify(value));
  } catch {
    // full or forbidden: what is on the page stays on the page
  }
}

export function remove(booking, kind) {
  try {
    localStorage.removeItem(name(booking, kind));
  } catch {
    // then there is nothing
  }
}
