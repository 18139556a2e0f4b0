"""What both programs mean by a generation."""
