// The staff page.
document.documentElement.dataset.ready = "true";
