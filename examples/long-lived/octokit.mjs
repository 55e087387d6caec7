// An authentication strategy for Octokit: new Octokit({ authStrategy: gastownAuth })
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
// Ask again this long before the token may die, in milliseconds.
const MARGIN = 5 * 60 * 1000;

export function gastownAuth({ helper = "git-credential-gastown" } = {}) {
  let kept;

  async function auth() {
    const certain = kept?.lives_until ? Date.parse(kept.lives_until) : 0;
    if (certain < Date.now() + MARGIN) {
      const { stdout } = await run(helper, ["token", "--json"]);
      kept = JSON.parse(stdout);
    }
    return { type: "token", tokenType: "installation", token: kept.token };
  }

  async function hook(request, route, parameters) {
    const send = async () => {
      const endpoint = request.endpoint.merge(route, parameters);
      endpoint.headers.authorization = `token ${(await auth()).token}`;
      return request(endpoint);
    };
    try {
      return await send();
    } catch (error) {
      if (error.status !== 401) throw error;
      // Revoked before its time: have the worker asked, and try once more.
      await run(helper, ["refresh"]);
      kept = undefined;
      return send();
    }
  }

  return Object.assign(auth, { hook });
}
