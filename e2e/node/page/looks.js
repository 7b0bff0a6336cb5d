// How the pages look: dark and light, on a phone, with little motion, and to those
// who do not see them. Pictures of all are kept.
'use strict';

const fs = require('fs');
const { settings, run, picture, eventually, ask, push, groups, assert } = require('./harness');

const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const group = '/job/batch/instance/node-1';
const long = `/job/inventory/instance/${'a-name-without-any-gap-'.repeat(6)}/path@base64/${Buffer.from('/var/lib/some/where').toString('base64url')}`;

// The pages, by the names of their pictures.
const pages = {
	groups: '', jobs: '?by=job', group: `?group=${group}`, history: `?group=${group}&tab=history`, push: `?group=${group}&tab=push`,
	failing: '?group=/job/etl/instance/db2', dead: '?group=/job/nightly', refused: '?group=/job/weekly', long: `?group=${encodeURIComponent(long)}`,
	live: 'live', stream: 'stream', status: 'status',
};

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

// violations are what axe-core complains of, by all its rules or by some of them.
async function violations(page, ...rules) {
	await page.evaluate(axe); // past the policy, as the browser's own tools
	return page.evaluate(async (rules) => {
		// Colours that are on their way to others are none.
		await new Promise(requestAnimationFrame);
		await Promise.all(document.getAnimations().map((animation) => animation.finished));
		const { violations } = await window.axe.run(document, { resultTypes: ['violations'], ...(rules.length ? { runOnly: rules } : {}) });
		return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join('; ')}`);
	}, rules);
}

// settled waits until a page is what it will be.
async function settled(page, name) {
	if (name === 'live') await page.getByTestId('live-state').getByText('live', { exact: true }).waitFor();
	await page.evaluate(() => document.fonts.ready);
}

const backgrounds = {};
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

run({
	async 'groups of all kinds'() {
		const refused = { code: 400 };
		const twice = 'last_success_timestamp_seconds 1\nlast_success_timestamp_seconds 2\n';
		const gauges = (n) => `# HELP last_success_timestamp_seconds When it went well.\n# TYPE last_success_timestamp_seconds gauge\n` +
			`last_success_timestamp_seconds ${1764000000 + n}\n# TYPE rows gauge\nrows{table="users"} ${n}\nrows{table="orders"} ${n * 7}\n`;
		await push(settings.url, '/job/nightly?ttl=1s', gauges(1));
		for (let n = 1; n < 5; n++) {
			for (const job of ['backup', 'billing', 'etl', 'report']) await push(settings.url, `/job/${job}/instance/db${n}?ttl=${n * 10}m`, gauges(n));
		}
		await push(settings.url, '/job/etl/instance/db2', twice, refused);
		await push(settings.url, '/job/migration/instance/db9', twice, refused);
		await push(settings.url, long, gauges(3));
		// A group that dies since its pushes are refused.
		await push(settings.url, '/job/weekly?ttl=1s', 'size_bytes 8.589934592e+09\n');
		await push(settings.url, '/job/weekly?ttl=1s', '# TYPE rows counter\nrows 1\n', refused);
		for (let n = 0; n < 3; n++) await push(settings.url, group, gauges(n), { method: 'POST' });
		await eventually('a dead group', async () => (await ask('GET', `${settings.url}/api/v1/groups?state=dead`)).text, (text) => text.includes('nightly') && text.includes('weekly'));
	},

	async 'light and dark, without what axe-core complains of'(h) {
		const page = await h.open({ colorScheme: 'light' });
		for (const [of, path] of Object.entries(pages)) {
			const answer = await h.go(page, path);
			assert.equal(answer.headers()['content-security-policy'], policy, of);
			assert.equal(answer.headers()['x-content-type-options'], 'nosniff', of);
			assert.equal(answer.headers()['referrer-policy'], 'no-referrer', of);
			await settled(page, of);
			// Nothing but colours depends on the theme.
			for (const [theme, rules] of [['light', []], ['dark', ['color-contrast', 'link-in-text-block']]]) {
				await page.emulateMedia({ colorScheme: theme });
				assert.deepEqual(await violations(page, ...rules), [], `${of}, ${theme}`);
				await picture(page, `${of}-${theme}`);
				backgrounds[theme] = await background(page);
			}
			await page.emulateMedia({ colorScheme: 'light' });
		}
	},

	async 'dark is dark, and the button changes it for good'(h) {
		const lightness = (color) => color.match(/\d+/g).slice(0, 3).reduce((sum, n) => sum + Number(n), 0);
		assert.ok(lightness(backgrounds.light) > 600 && lightness(backgrounds.dark) < 150, JSON.stringify(backgrounds));
		const page = await h.open({ colorScheme: 'light' });
		await h.go(page);
		await page.getByTestId('theme').click();
		assert.equal(await background(page), backgrounds.light);
		await page.getByTestId('theme').click();
		assert.equal(await background(page), backgrounds.dark);
		await h.go(page, 'status');
		assert.equal(await background(page), backgrounds.dark);
	},

	async 'a dialog and an error, too'(h) {
		const page = await h.open({ colorScheme: 'dark' });
		await h.go(page, pages.group);
		await page.getByTestId('delete-group').click();
		assert.deepEqual(await violations(page), []);
		await picture(page, 'delete-dark');
		h.expected.push(/status of 404/);
		await page.goto(`${settings.url}/?group=/job/nobody`);
		assert.deepEqual(await violations(page), []);
		await picture(page, 'error-dark');
	},

	async 'a phone needs no scrolling sideways'(h) {
		const page = await h.open({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
		for (const [of, path] of Object.entries(pages)) {
			await h.go(page, path);
			await settled(page, of);
			const width = await page.evaluate(() => document.documentElement.scrollWidth);
			assert.ok(width <= 360, `${of} is ${width} pixels wide`);
			await picture(page, `${of}-phone`, { scale: 'css' });
		}
		await h.go(page);
		await page.locator('#q').fill('db3 etl');
		await eventually('one group', () => groups(page), (all) => all.length === 1);
		await page.getByTestId('group').getByRole('link').tap();
		await page.getByTestId('group-head').waitFor();
	},

	async 'nothing jumps while a page comes, nor when it is asked for again'(h) {
		const page = await h.open();
		for (const path of [pages.groups, pages.group, pages.stream]) {
			await h.go(page, path);
			// Whoever comes back to a page has it asked for again.
			const again = page.waitForResponse((answer) => answer.request().resourceType() === 'fetch');
			await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
			await again;
			const shifts = await page.evaluate(() => new Promise((resolve) => {
				const all = [];
				new PerformanceObserver((list) => all.push(...list.getEntries())).observe({ type: 'layout-shift', buffered: true });
				requestAnimationFrame(() => setTimeout(() => resolve(all.reduce((sum, shift) => sum + shift.value, 0)), 0));
			}));
			assert.ok(shifts < 0.02, `${path}: a layout shift of ${shifts}`);
		}
	},

	async 'little motion for those who want little'(h) {
		const page = await h.open({ reducedMotion: 'reduce' });
		for (const path of [pages.groups, pages.live]) {
			await h.go(page, path);
			const moving = await page.evaluate(() => [...document.querySelectorAll('*')].filter((e) => {
				const style = getComputedStyle(e);
				return style.transitionDuration !== '0s' || style.animationName !== 'none';
			}).map((e) => e.outerHTML.slice(0, 100)));
			assert.deepEqual(moving, []);
		}
	},
});
