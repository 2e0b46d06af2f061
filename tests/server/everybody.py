"""What the page asks for everybody of the small shop, once by id and once by history, and what it is answered."""

from __future__ import annotations

ALL_USERS = """async () => {
    const { whom } = await import("/asked.js");
    const ask = async (path, body) => {
        const headers = { "Content-Type": "application/json" };
        const answer = await fetch(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : {});
        return answer.json();
    };
    const lists = ({ results }) => results.map((one) => [one.user_id, ...one.items.map((item) => item.item_id)]);
    const users = [], byId = [], byEntries = {};
    for (let number = 1; number <= 90; number++) {
        const user = `user-${String(number).padStart(4, "0")}`;
        const { items: history } = await ask(`/v1/history?user_id=${user}&limit=2000`);
        const state = { user, loaded: history, earlier: [], attributes: {} };
        users.push(user);
        byId.push(...whom({ ...state, history: [...history] }).users);
        Object.assign(byEntries, whom({ ...state, history: history.map((item) => ({ ...item })) }).histories);
    }
    return [
        lists(await ask("/v1/recommend", { users })),
        lists(await ask("/v1/explain", { users: byId })),
        lists(await ask("/v1/explain", { histories: byEntries })),
    ];
}"""
