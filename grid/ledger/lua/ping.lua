-- Does nothing but what all scripts do first: it looks at the format.
return 'PONG'
