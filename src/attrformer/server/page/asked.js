// What is asked for the history and the person on the page.

const VISITOR = "visitor";
const LONGEST = 2000;

// An entry keeps its time unless it was moved before one that happened earlier; the service then takes the time before it.
function entries(history) {
  let last = -Infinity;
  return history.map((item) => {
    const timed = item.timestamp !== undefined && item.timestamp !== null && item.timestamp >= last;
    if (timed) last = item.timestamp;
    if (!timed && item.behaviours === undefined) return item.item_id;
    return {
      item_id: item.item_id,
      ...(timed ? { timestamp: item.timestamp } : {}),
      ...(item.behaviours === undefined ? {} : { behaviours: item.behaviours }),
    };
  });
}

// A user whose history was not touched is asked about by id, so that the answer is that of the service for this user.
export function whom({ user, loaded, earlier, history, attributes }) {
  const name = user === null ? VISITOR : String(user);
  const untouched = user !== null && history.length === loaded.length && history.every((item, place) => item === loaded[place]);
  return {
    ...(untouched ? { users: [user] } : { histories: { [name]: entries([...earlier, ...history].slice(-LONGEST)) } }),
    ...(Object.keys(attributes).length ? { user_attributes: { [name]: attributes } } : {}),
  };
}
