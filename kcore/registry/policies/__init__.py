"""What the expressions of admission policies and match conditions mean: variables, evaluation, decisions, patches.

Pure: it evaluates with `kcore.cel` what it is given, and knows neither the store nor the admission chain. Which
policies there are and which requests they are about is `kcore.registry.admission`'s. The compiler is loaded with the
first expression: what runs at start-up imports nothing from here.
"""
