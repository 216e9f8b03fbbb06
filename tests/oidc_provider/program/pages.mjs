// What people see of the provider: a form that asks who they are, and those of the device flow and of signing out.
// They are as plain as can be, so that tests drive them by HTTP or in a browser.

const page = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>
<link rel="icon" href="data:,"><h1>${title}</h1>${body}</html>`;

const escaped = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.codePointAt(0)};`);

export const pages = {
  device: {
    userCodeInputSource: async (ctx, form, out, error) => {
      ctx.body = page('Device', `<p role="alert">${error ? error.name : ''}</p>${form}
        <button form="op.deviceInputForm">Continue</button>`);
    },
    userCodeConfirmSource: async (ctx, form, client, device, code) => {
      ctx.body = page('Device', `<p>${escaped(client.clientId)}: <code>${escaped(code)}</code></p>${form}
        <button form="op.deviceConfirmForm">Allow</button>
        <button form="op.deviceConfirmForm" name="abort" value="yes">Refuse</button>`);
    },
    successSource: async (ctx) => {
      ctx.body = page('Signed in', '<p>You can close this page.</p>');
    },
  },
  logout: {
    logoutSource: async (ctx, form) => {
      ctx.body = page('Sign out', `${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`);
    },
    postLogoutSuccessSource: async (ctx) => {
      ctx.body = page('Signed out', '<p>You can close this page.</p>');
    },
  },
};

async function fields(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body);
}

// GET shows the form, POST signs in the user that it names, or refuses.
export async function interaction(provider, users, request, response) {
  const show = (status, said) => {
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
    response.end(page('Who are you?', `<p role="alert">${escaped(said)}</p><form method="post">
      <label>User <input name="user" autofocus></label><button>Sign in</button>
      <button name="refuse" value="yes">Refuse</button></form>`));
  };
  try {
    await provider.interactionDetails(request, response);
  } catch (error) {
    show(400, error.message);
    return;
  }
  if (request.method === 'GET') {
    show(200, '');
    return;
  }
  const form = await fields(request);
  const user = form.get('user') ?? '';
  if (form.get('refuse')) {
    await provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'they refused' });
  } else if (Object.hasOwn(users, user)) {
    await provider.interactionFinished(request, response, { login: { accountId: user, remember: true } });
  } else {
    show(403, `there is no user ${user}`);
  }
}
