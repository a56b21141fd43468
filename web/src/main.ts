document.title = 'heatcast';
