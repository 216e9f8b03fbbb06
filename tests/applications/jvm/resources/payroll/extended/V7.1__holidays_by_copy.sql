COPY holidays (day, name) FROM STDIN;
2024-05-01	Labour Day
2024-12-25	Christmas
2024-12-26	\N
\.
