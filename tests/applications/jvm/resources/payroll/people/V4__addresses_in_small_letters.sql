UPDATE employees SET email = lower(email) WHERE email <> lower(email);
