// A page of another site, and what it may not do.
'use strict';

const { settings, run, ask, push, assert } = require('./harness');

const group = '/job/mine';

run({
	async 'changes are refused'(h) {
		await push(settings.url, group, 'a 1\n');
		const own = await h.open();
		await h.go(own); // so that the browser knows the gateway
		const context = await h.browser.newContext();
		const page = await context.newPage();
		await page.goto(settings.foreign);
		const said = await page.evaluate(async ({ url, group }) => {
			const results = {};
			const attempt = (name, path, options) => fetch(url + path, options).then(
				(answer) => (results[name] = `${answer.type} ${answer.status}`), (error) => (results[name] = String(error)));
			await attempt('delete', `/metrics${group}`, { method: 'DELETE' });
			await attempt('put', `/metrics${group}`, { method: 'PUT', body: 'stolen 1\n' });
			// A browser sends this one without asking before.
			await attempt('post', `/metrics${group}`, { method: 'POST', mode: 'no-cors', body: 'stolen 1\n' });
			await attempt('wipe', '/api/v1/admin/wipe', { method: 'PUT' });
			await attempt('selected', `/api/v1/groups?match[]=${encodeURIComponent('{job="mine"}')}`, { method: 'DELETE' });
			return results;
		}, { url: settings.url, group });
		console.log(`  ${JSON.stringify(said)}`);
		const metrics = (await ask('GET', `${settings.url}/metrics`)).text;
		assert.ok(/^a\{.*job="mine".*\} 1$/m.test(metrics), 'the group was deleted');
		assert.ok(!metrics.includes('stolen'), 'the push was accepted');
		assert.match(metrics, /sluice_changes_refused_total\{[^}]*reason="cross_site"[^}]*\} [1-9]/, 'no request has come so far');
		await context.close();
	},

	async 'a form of it is refused with a reason, and it may not frame the page'(h) {
		const context = await h.browser.newContext();
		const page = await context.newPage();
		await page.goto(settings.foreign);
		await page.evaluate(({ url, group }) => {
			const form = document.createElement('form');
			Object.assign(form, { method: 'post', action: `${url}/metrics${group}`, enctype: 'text/plain' });
			form.innerHTML = '<input name="stolen 1&#10;x" value="1">';
			document.body.append(form);
			setTimeout(() => form.submit());
		}, { url: settings.url, group });
		await page.getByText('a browser has sent this from a page of another site').waitFor();
		assert.ok(!(await ask('GET', `${settings.url}/metrics`)).text.includes('stolen'));

		await page.goto(settings.foreign);
		await page.evaluate((url) => new Promise((resolve) => {
			const frame = document.createElement('iframe');
			frame.src = url;
			frame.onload = resolve;
			document.body.append(frame);
		}), settings.url);
		assert.equal(await page.frameLocator('iframe').locator('#main').count(), 0);
		await context.close();
	},
});
