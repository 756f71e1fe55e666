// `ctx.llm` for an agent runtime in TypeScript, over the endpoint of `codex-oauth serve --http`. No dependencies.
interface LlmContext {
  complete(prompt: string, opts?: { maxTokens?: number }): Promise<string>;
}

// The variables are its own: with OPENAI_API_KEY set, a runtime would call OpenAI itself.
export function endpointLlm(env: Record<string, string | undefined>): LlmContext {
  const { CODEX_OAUTH_LLM_URL: base, CODEX_OAUTH_LLM_TOKEN: token, CODEX_OAUTH_LLM_MODEL: model = 'default' } = env;
  const failed = (why: string) => new Error(`ctx.llm: ${why}`);
  if (!base || !token) throw failed('set CODEX_OAUTH_LLM_URL and CODEX_OAUTH_LLM_TOKEN');
  const url = `${base.replace(/\/+$/, '')}/chat/completions`;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return {
    async complete(prompt, opts) {
      const messages = [{ role: 'user', content: prompt }];
      const body = JSON.stringify({ model, messages, max_completion_tokens: opts?.maxTokens ?? 16_000 });
      let ok, status, text = '', choice;
      try {
        const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(120_000) });
        ({ ok, status } = response);
        text = await response.text();
        if (ok) choice = JSON.parse(text).choices?.[0];
      } catch (error) {
        throw failed(`request to ${url} failed: ${(error instanceof Error && error.cause) || error}`);
      }
      if (!ok) throw failed(`${url} returned ${status}: ${text.slice(0, 500)}${text.length > 500 ? '…' : ''}`);
      if (choice?.finish_reason === 'length') throw failed('Codex backend stream returned response.incomplete');
      if (!choice?.message?.content) throw failed('Codex backend response contained no output text');
      return choice.message.content;
    },
  };
}
