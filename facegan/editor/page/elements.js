// The page's elements, and the two lines in which it speaks.

export const at = id => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const makeButton = (properties, ...children) => make("button", {type: "button", ...properties}, ...children);

export const makeSheet = size => make("canvas", {width: size, height: size});  // pixels that are not on the page

export function say(text) {
  at("status").textContent = text;
  at("put-back").hidden = true;  // the action after deleting
}

export const warn = text => { if (at("alert").textContent !== text) at("alert").textContent = text; };

export function tellFailure(action) {  // the same action, which says on the page why it failed
  return async (...values) => {
    try { warn(""); return await action(...values); } catch (error) { warn(error.message); }
  };
}
