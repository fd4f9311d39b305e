/* ranklab: low-rank acceleration of convolutional networks, at the terminal. */
#include "ui/ui.h"

int main(int argc, char **argv)
{
    return ui_main(argc, argv);
}
